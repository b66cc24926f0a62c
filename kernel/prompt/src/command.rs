//! What a line asks for: a story that begins with it, or a command.
use core::fmt;

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'l> {
    /// A story that begins like this; from nothing, where it is empty.
    Story(&'l str),
    /// The list of commands.
    Help,
    /// Change a setting.
    Set {
        /// The key, by the boot settings' name.
        key: &'static str,
        /// Its new value, as it was typed.
        value: &'l str,
    },
    /// Say what the settings are.
    Show,
    /// What the machine is and has done.
    Stats,
    /// The last story's beginning once more, with the next seed.
    Again,
    /// Start the machine anew.
    Reboot,
    /// Switch the machine off.
    Off,
}

/// Why a line that begins with a slash is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError<'l> {
    /// There is no such command.
    Unknown(&'l str),
    /// The command takes nothing behind it.
    NoArgument {
        /// The command.
        command: &'static str,
        /// What was behind it.
        argument: &'l str,
    },
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(command) => {
                write!(f, "There is no command {command}; /help lists those that there are.")
            }
            Self::NoArgument { command, argument } => {
                write!(
                    f,
                    "{command} takes nothing behind it, but '{argument}' is there; type {command} alone."
                )
            }
        }
    }
}

/// What a command does.
enum Action {
    /// Changes this key, or shows the settings where no value is given.
    Setting(&'static str),
    /// Anything else.
    Request(Request<'static>),
}

/// A command: its name, its argument as the help shows it, what it does in words, and what it does.
type Command = (&'static str, &'static str, &'static str, Action);

/// All of them, in the order of the help.
const COMMANDS: [Command; 9] = [
    ("/help", "", "this list", Action::Request(Request::Help)),
    (
        "/temp",
        "[T]",
        "temperature: 0 takes the likeliest token, 1 dares more",
        Action::Setting("temperature"),
    ),
    ("/topp", "[P]", "sample from the likeliest tokens that reach probability P", Action::Setting("topp")),
    ("/seed", "[N]", "the same seed gives the same story", Action::Setting("seed")),
    ("/steps", "[N]", "tokens at most, 0 for all that the context holds", Action::Setting("steps")),
    ("/stats", "", "the machine, the model, and how fast they are", Action::Request(Request::Stats)),
    ("/again", "", "the last story's beginning with the next seed", Action::Request(Request::Again)),
    ("/reboot", "", "start the machine anew", Action::Request(Request::Reboot)),
    ("/off", "", "switch the machine off", Action::Request(Request::Off)),
];

/// Reads a line.
pub fn parse(line: &str) -> Result<Request<'_>, CommandError<'_>> {
    let line = line.trim_ascii();
    if line.as_bytes().first() != Some(&b'/') {
        return Ok(Request::Story(line));
    }
    let name_length = line.bytes().position(|byte| byte == b' ').unwrap_or(line.len());
    let (name, argument) = line.split_at_checked(name_length).unwrap_or((line, ""));
    let argument = argument.trim_ascii();
    for (command, _, _, action) in &COMMANDS {
        if *command == name {
            return match action {
                Action::Setting(_) if argument.is_empty() => Ok(Request::Show),
                Action::Setting(key) => Ok(Request::Set { key, value: argument }),
                Action::Request(request) if argument.is_empty() => Ok(*request),
                Action::Request(_) => Err(CommandError::NoArgument { command, argument }),
            };
        }
    }
    Err(CommandError::Unknown(name))
}

/// The list of commands, a line each.
pub struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Type the beginning of a story and Enter; Enter alone begins one from nothing.\n")?;
        f.write_str("Esc or Ctrl-C stops a story. Commands:\n")?;
        COMMANDS
            .iter()
            .try_for_each(|(name, argument, help, _)| writeln!(f, "  {name:7} {argument:4} {help}"))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn lines_without_a_slash_begin_stories() {
        assert_eq!(parse(" Once upon "), Ok(Request::Story("Once upon")));
        assert_eq!(parse(""), Ok(Request::Story("")));
        assert_eq!(parse("and/or"), Ok(Request::Story("and/or")));
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        for (name, argument, ..) in COMMANDS {
            assert!(parse(name).is_ok(), "{name}");
            let given = std::format!("{name}  0.5");
            assert_eq!(parse(&given).is_ok(), !argument.is_empty(), "{given}");
        }
        assert_eq!(parse("/temp  0.5"), Ok(Request::Set { key: "temperature", value: "0.5" }));
        assert_eq!(parse("/temp"), Ok(Request::Show));
    }

    #[test]
    fn what_is_no_command_is_named() {
        let refused = |line| parse(line).unwrap_err().to_string();
        assert_eq!(refused("/tmp 1"), "There is no command /tmp; /help lists those that there are.");
        assert!(refused("/").contains("no command /;"));
        assert!(refused("/off now").contains("'now'"));
    }

    #[test]
    fn the_help_fits_the_screen() {
        let help = Help.to_string();
        assert!(help.lines().count() < 20 && help.lines().all(|line| line.len() < 80), "{help}");
    }
}
