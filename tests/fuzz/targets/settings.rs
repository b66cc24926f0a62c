//! The settings sectors. Settings that are read can be written and read again, and are the same; or
//! they are refused as too long for their sectors, which written in full they may be.
#![no_main]
use libfuzzer_sys::{Corpus, fuzz_target};
use model::crc32::crc32;
use protocol::settings::{SETTINGS_BYTES, Settings, SettingsError};

/// Where the text begins: behind the first line with its CRC.
const TEXT: usize = "unreallm-settings crc=xxxxxxxx\n".len();

fuzz_target!(|data: &[u8]| -> Corpus {
    let _ = Settings::parse(data).is_ok();
    // The input is the text; without the right CRC in front of it nothing would be read.
    if data.len() > SETTINGS_BYTES - TEXT {
        return Corpus::Reject;
    }
    let mut text = data.to_vec();
    text.resize(SETTINGS_BYTES - TEXT, 0);
    let mut sectors = format!("unreallm-settings crc={:08x}\n", crc32(&text)).into_bytes();
    sectors.append(&mut text);
    match Settings::parse(&sectors) {
        Err(error) => {
            let named = !matches!(error, SettingsError::Crc { .. } | SettingsError::TooLong { .. });
            assert!(named, "the CRC is right and the text fits: {error}");
        }
        Ok(settings) => match settings.to_sectors() {
            Err(SettingsError::TooLong { bytes }) => assert!(bytes > SETTINGS_BYTES),
            Err(error) => panic!("settings that were read cannot be written: {error}"),
            Ok(written) => {
                assert_eq!(written.len(), SETTINGS_BYTES);
                assert_eq!(Settings::parse(&written), Ok(settings));
            }
        },
    }
    Corpus::Keep
});
