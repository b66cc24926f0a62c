//! A tab: open an address, ask the page, press keys, take a picture.
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Chromium;
use crate::{Error, process::POLL};

/// A tab of a browser of its own.
pub struct Tab {
    browser: Chromium,
    session: String,
}

impl Tab {
    pub(super) fn new(browser: Chromium, session: String) -> Self {
        Self { browser, session }
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, Error> {
        self.browser.call(Some(&self.session), method, params)
    }

    /// The size of the window in CSS pixels, and how many real ones each has.
    ///
    /// # Errors
    /// Where the browser does not answer, as in all that follows.
    pub fn resize(&mut self, width: u32, height: u32, scale: f64, phone: bool) -> Result<(), Error> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// A script that runs in each new page before the page's own.
    pub fn run_first(&mut self, script: &str) -> Result<(), Error> {
        self.call("Page.enable", json!({}))?;
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).map(drop)
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) -> Result<(), Error> {
        self.call("Page.navigate", json!({ "url": url })).map(drop)
    }

    /// The value of a JavaScript expression in the page.
    ///
    /// # Errors
    /// [`Error::Answer`] with the page's exception.
    pub fn value(&mut self, expression: &str) -> Result<Value, Error> {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", asked)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(Error::Answer { asked: expression.into(), answer: details.to_string() }),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what the page shows.
    pub fn wait(&mut self, expression: &str, limit: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        loop {
            if self.value(&format!("Boolean({expression})"))? == true {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = self.value("document.body.innerText")?.as_str().unwrap_or_default().to_owned();
                return Err(Error::TimedOut { awaited: expression.into(), limit, log });
            }
            thread::sleep(POLL);
        }
    }

    /// Clicks the middle of the element that a selector finds.
    pub fn click(&mut self, selector: &str) -> Result<(), Error> {
        let place = format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center'}});
               const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        );
        let place = self.value(&place)?;
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event)?;
        }
        Ok(())
    }

    /// Presses keys for lower-case letters, digits, spaces, full stops and line ends, one by one.
    pub fn press(&mut self, text: &str) -> Result<(), Error> {
        for character in text.chars() {
            let (code, key) = key(character);
            let down = if character == '\n' { "\r".to_owned() } else { character.to_string() };
            let virtual_key =
                if character == '.' { 190 } else { u32::from(down.to_ascii_uppercase().as_bytes()[0]) };
            for (kind, text) in [("keyDown", Some(down.as_str())), ("keyUp", None)] {
                let mut event = json!({
                    "type": kind, "code": code, "key": key, "windowsVirtualKeyCode": virtual_key
                });
                if let Some(text) = text {
                    event["text"] = text.into();
                }
                self.call("Input.dispatchKeyEvent", event)?;
            }
        }
        Ok(())
    }

    /// Writes a picture of the whole page, as PNG.
    pub fn picture(&mut self, path: &Path) -> Result<(), Error> {
        let taken =
            self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }))?;
        let data = taken["data"].as_str().unwrap_or_default();
        fs::write(path, base64(data)).map_err(Error::io("write a picture"))
    }
}

/// A key's place on the keyboard and its name.
fn key(character: char) -> (String, String) {
    let code = match character {
        'a'..='z' => format!("Key{}", character.to_ascii_uppercase()),
        '0'..='9' => format!("Digit{character}"),
        '\n' => "Enter".into(),
        '.' => "Period".into(),
        '/' => "Slash".into(),
        _ => "Space".into(),
    };
    let key = if character == '\n' { "Enter".into() } else { character.to_string() };
    (code, key)
}

/// The bytes of base64 (RFC 4648); what is not of its alphabet is left out.
fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_as_in_the_rfc() {
        assert_eq!(base64("Zm9vYmFy"), b"foobar");
        assert_eq!(base64("Zm9vYg=="), b"foob");
        assert_eq!(base64("+/8="), [0xFB, 0xFF]);
    }
}
