//! Ctrl-C, a request to end, and a terminal that closed, for work that has something to put right first.
use std::{
    process::exit,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// How this program exits where nothing has to be put right: 128 + SIGINT, as shells put it.
const INTERRUPTED: i32 = 130;

/// Set once this program was told to stop.
static ASKED: AtomicBool = AtomicBool::new(false);
/// Watches that live.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// As long as one lives, this program is not ended but asked: whoever holds one looks at
/// [`Watch::asked`] often, puts things right and returns.
pub struct Watch(());

impl Watch {
    /// From now on.
    ///
    /// # Errors
    /// Where signals cannot be caught.
    pub fn begin() -> Result<Self, ctrlc::Error> {
        static HANDLER: OnceLock<()> = OnceLock::new();
        WATCHES.fetch_add(1, Ordering::Relaxed);
        let watch = Self(());
        if HANDLER.set(()).is_ok() {
            ctrlc::set_handler(|| {
                ASKED.store(true, Ordering::Relaxed);
                if WATCHES.load(Ordering::Relaxed) == 0 {
                    exit(INTERRUPTED);
                }
            })?;
        }
        Ok(watch)
    }

    /// Whether this program was told to stop.
    pub fn asked(&self) -> bool {
        ASKED.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::Relaxed);
    }
}
