//! The models that are published, and where: Andrej Karpathy's tinyllamas (MIT licence) on Hugging
//! Face, and the tokenizer of his llama2.c (MIT licence).

/// A file that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name in the cache folder.
    pub name: &'static str,
    /// Which server has it.
    pub site: Site,
    /// Its path there.
    pub path: &'static str,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

/// Where published files lie.
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

/// A model that can be fetched: a checkpoint and its tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedModel {
    /// What the user calls it.
    pub name: &'static str,
    /// Its checkpoint: llama2.c's format, version 0.
    pub checkpoint: PublishedFile,
    /// Its tokenizer.
    pub tokenizer: PublishedFile,
}

const TOK512: PublishedFile = PublishedFile {
    name: "tok512.bin",
    site: Site::TinyLlamas,
    path: "stories260K/tok512.bin",
    sha256: "037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312",
};

const TOK32000: PublishedFile = PublishedFile {
    name: "tokenizer32000.bin",
    site: Site::Llama2C,
    path: "tokenizer.bin",
    sha256: "50a52ef822ee9e83de5ce9d0be0a025a773d019437f58b5ff9dcafb063ece361",
};

/// Every published model, smallest first.
pub const MODELS: [PublishedModel; 4] = [
    PublishedModel {
        name: "stories260K",
        checkpoint: PublishedFile {
            name: "stories260K.bin",
            site: Site::TinyLlamas,
            path: "stories260K/stories260K.bin",
            sha256: "b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696",
        },
        tokenizer: TOK512,
    },
    PublishedModel {
        name: "stories15M",
        checkpoint: PublishedFile {
            name: "stories15M.bin",
            site: Site::TinyLlamas,
            path: "stories15M.bin",
            sha256: "cd590644d963867a2b6e5a1107f51fad663c41d79c149fbecbbb1f95fa81f49a",
        },
        tokenizer: TOK32000,
    },
    PublishedModel {
        name: "stories42M",
        checkpoint: PublishedFile {
            name: "stories42M.bin",
            site: Site::TinyLlamas,
            path: "stories42M.bin",
            sha256: "9f65a1000e17d0bc167dd6332e0ce5119a0222a3d920cead5bce413bfab2ee7b",
        },
        tokenizer: TOK32000,
    },
    PublishedModel {
        name: "stories110M",
        checkpoint: PublishedFile {
            name: "stories110M.bin",
            site: Site::TinyLlamas,
            path: "stories110M.bin",
            sha256: "515267168726a1ed1317a64a408492e6af3b67c1f71c5bd98c01d9d721803a24",
        },
        tokenizer: TOK32000,
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
