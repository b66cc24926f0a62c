//! The command line. Flag letters are llama2.c's.
use std::{ffi::OsString, fmt::Display, ops::Not, path::PathBuf, str::FromStr};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use model::host::synth::FileType;

use crate::emulator::qemu::{Accelerator, Machine, Storage};

/// What a user asks for.
#[derive(Debug, Parser)]
#[command(
    name = "cargo unreal",
    bin_name = "cargo unreal", // the alias that everybody types, not the program behind it
    about = "A PC that boots straight into a Llama model, in unreal mode",
    after_help = EXIT_CODES,
    max_term_width = 100
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The exit codes, as `--help` shows them.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; with --exit: the story was told
  1  an error of this program, with one sentence that says what is wrong
  2  a command line that cannot be understood
  3  the machine stopped with an error, which its serial port has shown
  4  the emulator itself failed; with --exit: it was ended before the story was";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot a story in an emulator, with the machine's serial port on this terminal
    Run(RunArgs),
    /// Write a disk image that boots on any PC
    Image(ImageArgs),
    /// Measure what the small arithmetic costs: fp32, int8 and the 1356-byte mode on one text
    Compare(CompareArgs),
    /// Measure how fast the machine runs, phase by phase, and how near to what it could
    Bench(BenchArgs),
    /// Download a published model into the cache folder, checked by its SHA-256
    Fetch(FetchArgs),
    /// Write a random checkpoint or GGUF of any shape: for tests of speed and size, not for reading
    Synth(SynthArgs),
    /// Write a web page that boots models in an emulated PC, in the browser
    Web(WebArgs),
    /// Say what a GGUF, a checkpoint, a packed model or a disk image holds
    Inspect(InspectArgs),
    /// Cut a text into a model's tokens: their ids and pieces
    Tokenize(TokenizeArgs),
}

/// Which model.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// A name (stories260K, bedtime260K, stories15M, smollm2, ...) or a file: a GGUF of a Llama model, or a
    /// checkpoint in llama2.c's format
    #[arg(default_value = crate::models::DEFAULT)]
    pub model: String,
    /// The tokenizer (llama2.c's tokenizer.bin), where it is neither in the model nor found beside it
    #[arg(short = 'z', long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Tokens of context [default: as many as the model has, at most 2048, or what fits]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub context: Option<u32>,
    /// Round F32, F16 and BF16 weights more finely, as texts that the model writes itself ask for: minutes the first
    /// time, then kept in the cache; the machine is as fast as without. Codes of few bits stay as they are; llama2.c
    /// checkpoints of at most 2^20 weights are always rounded so
    #[arg(long)]
    pub refine: bool,
}

/// Which engine runs the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// int8 weights and lookup tables, close to fp32
    #[default]
    Int8,
    /// sectorllm's arithmetic, bit for bit; stories260K's shape only
    Sector,
}

/// A whole number.
fn whole<N: FromStr + From<u8> + Not<Output = N> + Display>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("it must be a whole number from 0 to {}", !N::from(0)))
}

/// What story is told, and how.
#[derive(Args, Debug)]
pub struct StoryArgs {
    /// How the story begins [default: the model begins]
    #[arg(short = 'i', long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub prompt: String,
    /// Steps at most: tokens of the prompt and of the story. 0 for as many as the context holds; past
    /// it the engine remembers the first token and the latest
    #[arg(short = 'n', long, value_name = "N", default_value_t = 256, value_parser = whole::<u32>)]
    #[arg(allow_negative_numbers = true)] // so that the error is about the number
    pub steps: u32,
    /// How daring the story is: 0 always takes the likeliest token, 1 samples as the model says
    #[arg(short = 't', long, value_name = "T", default_value = "0", allow_negative_numbers = true)]
    pub temperature: String,
    /// Samples from the likeliest tokens that together have this probability
    #[arg(short = 'p', long, value_name = "P", default_value = "0.9", allow_negative_numbers = true)]
    pub topp: String,
    /// The same seed gives the same story
    #[arg(short = 's', long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>)]
    #[arg(allow_negative_numbers = true)]
    pub seed: u64,
    /// The arithmetic
    #[arg(long, value_enum, default_value_t)]
    pub engine: EngineName,
    /// Processors, 1 to 16
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub cpus: u32,
    /// Power the machine off after the story
    #[arg(long)]
    pub exit: bool,
    /// Show the prompt at once, without a first story
    #[arg(long, conflicts_with = "exit")]
    pub interactive: bool,
    /// Also print, on serial, each token's id and a CRC of its logits
    #[arg(long)]
    pub trace: bool,
    /// Begin another story where one ends, until --steps are done
    #[arg(long)]
    pub endless: bool,
    /// Show byte pieces as the tokenizer names them (<0x0A> instead of a new line)
    #[arg(long)]
    pub raw_bytes: bool,
}

/// Which emulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EmulatorName {
    /// fast
    #[default]
    Qemu,
    /// slow; checks segment limits as hardware does
    Bochs,
}

/// `run`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub story: StoryArgs,
    /// The emulator
    #[arg(long, value_enum, default_value_t)]
    pub emulator: EmulatorName,
    /// The kind of PC
    #[arg(long, value_enum, default_value_t)]
    pub machine: Machine,
    /// The machine's memory; less than 2 MiB holds no model [default: what the model needs, at least 128]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(2..))]
    pub memory: Option<u32>,
    /// How QEMU runs the machine's code
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accelerator,
    /// How the disk is attached
    #[arg(long, value_enum, default_value_t)]
    pub storage: Storage,
    /// Open QEMU's window with the machine's screen and keyboard
    #[arg(long)]
    pub window: bool,
    /// More arguments for QEMU, behind --
    #[arg(last = true, value_name = "QEMU ARGS")]
    pub more: Vec<OsString>,
}

/// `image`.
#[derive(Args, Debug)]
pub struct ImageArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub story: StoryArgs,
    /// The image to write
    #[arg(short, long, value_name = "DISK.img")]
    pub output: PathBuf,
    /// Make a 1.44 MB floppy: exactly 1,474,560 bytes
    #[arg(long)]
    pub floppy: bool,
    /// Make a CD, whose image the BIOS shows as a hard disk
    #[arg(long, conflicts_with = "floppy")]
    pub iso: bool,
}

/// `compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArgs,
    /// Stories to read, <|endoftext|> on a line between two [default: stories that fp32 tells]
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// How many stories fp32 tells, where there is no --text
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub stories: u64,
    /// Write a page with plots, index.html, into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// One JSON document on stdout, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Also boot each engine in QEMU, and check every token and every logit against the host's
    #[arg(long)]
    pub in_emulator: bool,
}

/// `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Names or files, or 260K, 15M, 42M, 110M or a shape as for synth: random weights
    #[arg(default_value = crate::models::DEFAULT, value_name = "MODEL")]
    pub models: Vec<String>,
    /// The tokenizer, where it is neither in the model nor found beside it
    #[arg(short = 'z', long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Boots of each; the table shows medians
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Tokens of each story
    #[arg(short = 'n', long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// Processors, one number or several: 1,2
    #[arg(long, value_name = "LIST", default_value = "1", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=16))]
    pub cpus: Vec<u32>,
    /// The kind of PC
    #[arg(long, value_enum, default_value_t)]
    pub machine: Machine,
    /// How QEMU runs the machine's code
    #[arg(long, value_enum, default_value = "tcg")]
    pub accel: Accelerator,
    /// Also the engine as a program of this computer, one thread
    #[arg(long)]
    pub host: bool,
    /// Also boot another program's disk image, and watch its screen until it stops
    #[arg(long, value_name = "IMG", requires = "vs_tokens")]
    pub vs_image: Option<PathBuf>,
    /// How many tokens that program prints
    #[arg(long, value_name = "N", requires = "vs_image", value_parser = clap::value_parser!(u32).range(2..))]
    pub vs_tokens: Option<u32>,
    /// Also boot in this QEMU (a qemu-system-x86_64), beside the one in PATH; may be given again. It gets the firmware
    /// in pc-bios, ../share/qemu and ../share/seabios beside it
    #[arg(long, value_name = "PATH")]
    pub emulator_path: Vec<PathBuf>,
    /// A folder with firmware for --emulator-path, where it is elsewhere; may be given again
    #[arg(long, value_name = "DIR", requires = "emulator_path")]
    pub emulator_data: Vec<PathBuf>,
    /// Seconds that a boot may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub patience: u64,
    /// Draw tokens a second over parameters into this SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// One JSON document on stdout, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// `fetch`.
#[derive(Args, Debug)]
pub struct FetchArgs {
    /// stories260K, stories15M, stories42M, stories110M or smollm2
    pub name: String,
}

/// `synth`.
#[derive(Args, Debug)]
pub struct SynthArgs {
    /// 260K, 15M, 42M, 110M, SmolLM2-135M, SmolLM2-360M, TinyLlama-1.1B, Llama-3.2-1B or
    /// dim,hidden,layers,heads,kv_heads,vocab,seq (a negative vocab: a classifier of its own)
    #[arg(allow_hyphen_values = true)]
    pub shape: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Write a GGUF with matrices of this type. Where its blocks do not divide a tensor's rows, the tensor is
    /// stored as llama.cpp would: Q5_0 for Q4_K, Q5_1 for Q5_K, Q8_0 for Q6_K (Q4_0 for Q2_K and Q3_K), or F16
    #[arg(long, value_name = "TYPE", value_parser = file_type(), ignore_case = true)]
    pub gguf: Option<FileType>,
    /// The kind of the GGUF's made-up tokenizer [default: the shape's]
    #[arg(long, value_name = "KIND", requires = "gguf")]
    pub tokenizer_kind: Option<TokenizerName>,
    /// The same seed gives the same weights
    #[arg(short = 's', long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>)]
    pub seed: u64,
}

/// The kinds of tokenizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenizerName {
    /// SentencePiece's rule, as Llama 2
    Llama,
    /// Byte-level BPE, as SmolLM2
    Gpt2,
}

/// Reads llama.cpp's name of a file's type.
fn file_type() -> impl TypedValueParser<Value = FileType> {
    PossibleValuesParser::new(FileType::all().map(|file_type| PossibleValue::new(file_type.name())))
        .try_map(|name| FileType::of_name(&name).ok_or("no such type"))
}

/// `web`.
#[derive(Args, Debug)]
pub struct WebArgs {
    /// The models that the page offers: names or files; the first one boots by itself
    #[arg(default_value = crate::models::DEFAULT, value_name = "MODEL")]
    pub models: Vec<String>,
    /// The tokenizer, where it is neither in the model nor found beside it
    #[arg(short = 'z', long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Round F32, F16 and BF16 weights more finely, as for run
    #[arg(long)]
    pub refine: bool,
    /// The folder to write the page into
    #[arg(short, long, value_name = "DIR", required_unless_present = "serve")]
    pub output: Option<PathBuf>,
    /// Show the page on this computer
    #[arg(long)]
    pub serve: bool,
    /// Where --serve listens
    #[arg(long, default_value_t = 8086)]
    pub port: u16,
    /// The folder with SeaBIOS's bios.bin and vgabios-stdvga.bin [default: where packages put them]
    #[arg(long, value_name = "DIR")]
    pub bios: Option<PathBuf>,
}

/// `inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A GGUF, a checkpoint, a packed model or a disk image
    pub file: PathBuf,
    /// One JSON document on stdout, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// `tokenize`.
#[derive(Args, Debug)]
pub struct TokenizeArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub model: ModelArgs,
    /// The text [default: standard input, as it comes]
    #[arg(short = 'i', long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// The names of special tokens in the text are these tokens; else they are text
    #[arg(long)]
    pub special: bool,
    /// Read lines {"s": TEXT, "special": BOOL} from standard input, and print lines {"ids": [...]}
    #[arg(long, conflicts_with_all = ["text", "special"])]
    pub jsonl: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_number_that_is_none_is_told_so() {
        for (option, most) in [("-n", "4294967295"), ("-s", "18446744073709551615")] {
            for value in ["-1", "x", "99999999999999999999"] {
                let error = Cli::try_parse_from(["unreal", "run", option, value]).unwrap_err().to_string();
                assert!(error.contains(&format!("it must be a whole number from 0 to {most}")), "{error}");
            }
        }
    }

    #[test]
    fn llama2_c_letters_work() {
        let line = "unreal run tiny -i Once -n 9 -t 0.8 -p 0.9 -s 7 -z tok.bin -- -cpu 486";
        let Command::Run(run) = Cli::try_parse_from(line.split(' ')).unwrap().command else { panic!() };
        assert_eq!(
            (run.model.model.as_str(), run.story.prompt.as_str(), run.story.steps),
            ("tiny", "Once", 9)
        );
        assert_eq!(run.more, ["-cpu", "486"]);
    }
}
