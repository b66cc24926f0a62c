//! The tokenizer: pieces of text by token id, and text by llama2.c's rules.
//!
//! The packed model carries llama2.c's `tokenizer.bin` as it is: the length of the longest piece
//! (u32), then for each token its score (f32), its length (i32) and its bytes. Scores are only
//! ever compared, so they are kept as integers of the same order, and no float is needed.
use alloc::vec::Vec;
use core::fmt;

/// Begin of sequence: each story starts from it.
pub const BOS: u32 = 1;
/// End of sequence.
pub const EOS: u32 = 2;
/// The token of byte 0 (`<0x00>`); the other 255 follow.
pub const FIRST_BYTE: u32 = 3;
/// Bytes before the first piece: the length of the longest piece.
const FILE_HEADER: usize = 4;
/// Bytes before each piece: score and length.
const PIECE_HEADER: usize = 8;

/// The pieces of a vocabulary.
pub struct Tokenizer<'m> {
    /// The file's bytes.
    bytes: &'m [u8],
    /// Where each piece's header starts in `bytes`, and where the last one ends.
    starts: Vec<u32>,
}

/// Why a tokenizer cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenizerError {
    /// The file ends inside a piece.
    Truncated {
        /// The piece.
        piece: usize,
    },
    /// A piece's length is negative or more than the file holds.
    BadLength {
        /// The piece.
        piece: usize,
        /// The length found.
        length: i32,
    },
    /// A score is not a number.
    BadScore {
        /// The piece.
        piece: usize,
    },
    /// There are more or fewer pieces than the model has tokens.
    PieceCount {
        /// Pieces found.
        pieces: usize,
        /// Tokens of the model.
        vocab_size: usize,
    },
    /// No memory for the table of pieces.
    OutOfMemory,
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { piece } => write!(f, "the tokenizer is cut short in piece {piece}"),
            Self::BadLength { piece, length } => {
                write!(
                    f,
                    "the tokenizer's piece {piece} has the length {length}, is it a llama2.c tokenizer?"
                )
            }
            Self::BadScore { piece } => {
                write!(f, "the tokenizer's piece {piece} has a score that is no number")
            }
            Self::PieceCount { pieces, vocab_size } => {
                write!(f, "the tokenizer has {pieces} pieces, the model has {vocab_size} tokens; ")?;
                f.write_str("name the model's own tokenizer")
            }
            Self::OutOfMemory => f.write_str("there is no memory for the tokenizer"),
        }
    }
}

impl core::error::Error for TokenizerError {}

/// What a token prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece<'t> {
    /// A piece of text; a character may be split over pieces.
    Text(&'t [u8]),
    /// One byte, from a byte piece such as `<0x0A>`.
    Byte([u8; 1]),
}

impl Piece<'_> {
    /// The bytes to print.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Byte(byte) => byte,
        }
    }
}

impl<'m> Tokenizer<'m> {
    /// Reads a llama2.c tokenizer of `vocab_size` pieces.
    pub fn parse(bytes: &'m [u8], vocab_size: usize) -> Result<Self, TokenizerError> {
        let pieces = Self::walk(bytes, |_| {})?;
        if pieces != vocab_size {
            return Err(TokenizerError::PieceCount { pieces, vocab_size });
        }
        let mut starts = Vec::new();
        starts.try_reserve_exact(pieces + 1).map_err(|_| TokenizerError::OutOfMemory)?;
        Self::walk(bytes, |start| starts.push(start))?;
        starts.push(bytes.len() as u32);
        Ok(Self { bytes, starts })
    }

    /// How many pieces a llama2.c tokenizer file holds.
    pub fn count(bytes: &[u8]) -> Result<usize, TokenizerError> {
        Self::walk(bytes, |_| {})
    }

    /// Calls `visit` with the start of each piece and returns how many there are.
    fn walk(bytes: &[u8], mut visit: impl FnMut(u32)) -> Result<usize, TokenizerError> {
        if bytes.len() < FILE_HEADER {
            return Err(TokenizerError::Truncated { piece: 0 });
        }
        let (mut at, mut piece) = (FILE_HEADER, 0);
        while at < bytes.len() {
            let header = bytes[at..].first_chunk::<PIECE_HEADER>();
            let &[s0, s1, s2, s3, l0, l1, l2, l3] = header.ok_or(TokenizerError::Truncated { piece })?;
            if score_order(u32::from_le_bytes([s0, s1, s2, s3])).is_none() {
                return Err(TokenizerError::BadScore { piece });
            }
            let length = i32::from_le_bytes([l0, l1, l2, l3]);
            let size = usize::try_from(length).map_err(|_| TokenizerError::BadLength { piece, length })?;
            if size > bytes.len() - at - PIECE_HEADER {
                return Err(TokenizerError::Truncated { piece });
            }
            visit(at as u32);
            at += PIECE_HEADER + size;
            piece += 1;
        }
        Ok(piece)
    }

    /// Number of pieces.
    pub fn vocab_size(&self) -> usize {
        self.starts.len() - 1
    }

    /// The piece of a token as the vocabulary has it; empty for a token that is not in it.
    pub fn piece(&self, token: u32) -> &'m [u8] {
        let token = token as usize;
        match (self.starts.get(token), self.starts.get(token + 1)) {
            (Some(&start), Some(&end)) => &self.bytes[start as usize + PIECE_HEADER..end as usize],
            _ => &[],
        }
    }

    /// A number that orders pieces as their scores do; `i32::MIN` for a token that is not there.
    pub fn score(&self, token: u32) -> i32 {
        let order = self.starts.get(token as usize).and_then(|&start| {
            let score = self.bytes[start as usize..].first_chunk()?;
            score_order(u32::from_le_bytes(*score))
        });
        order.unwrap_or(i32::MIN)
    }

    /// What `token` prints after `previous`: a byte piece is its byte, and the first piece after
    /// BOS loses its leading space (llama2.c, `decode`). Control characters that would upset a
    /// screen are left out (`safe_printf`); bytes from 0x80 on stay, for they are parts of UTF-8
    /// characters. With `raw` the piece is printed as the vocabulary has it.
    pub fn decode(&self, previous: u32, token: u32, raw: bool) -> Piece<'m> {
        let piece = self.piece(token);
        if raw {
            return Piece::Text(piece);
        }
        let text = match piece {
            [b' ', rest @ ..] if previous == BOS => rest,
            _ => piece,
        };
        let byte = match (byte_piece(text), text) {
            (Some(byte), _) => byte,
            (None, &[byte]) => byte,
            _ => return Piece::Text(text),
        };
        let white_space = matches!(byte, b'\t'..=b'\r');
        if (byte < b' ' && !white_space) || byte == 0x7F { Piece::Text(&[]) } else { Piece::Byte([byte]) }
    }
}

/// The byte of a byte piece such as `<0x0A>`.
fn byte_piece(piece: &[u8]) -> Option<u8> {
    let &[b'<', b'0', b'x', high, low, b'>'] = piece else { return None };
    let digit = |d: u8| (d as char).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}

/// Maps the bits of an f32 to integers of the same order (both zeros alike); `None` for a NaN.
fn score_order(bits: u32) -> Option<i32> {
    const INFINITY: u32 = 0x7F80_0000;
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > INFINITY {
        return None;
    }
    let magnitude = magnitude as i32;
    Some(if bits == magnitude as u32 { magnitude } else { -magnitude })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tokenizer file of these pieces; scores go down by one a piece.
    pub(crate) fn file_of(pieces: &[&[u8]]) -> Vec<u8> {
        let mut file = 7u32.to_le_bytes().to_vec();
        for (i, piece) in pieces.iter().enumerate() {
            file.extend((-(i as f32)).to_le_bytes());
            file.extend((piece.len() as i32).to_le_bytes());
            file.extend(*piece);
        }
        file
    }

    const PIECES: [&[u8]; 8] = [b"<unk>", b"<s>", b"</s>", b"<0x0A>", b" Once", b" ", b"<0x1b>", b"\xC3"];

    #[test]
    fn decoding_follows_llama2c() {
        let file = file_of(&PIECES);
        let tokenizer = Tokenizer::parse(&file, 8).unwrap();
        let text = |previous, token, raw| tokenizer.decode(previous, token, raw).bytes().to_vec();
        assert_eq!(text(BOS, 4, false), b"Once");
        assert_eq!(text(EOS, 4, false), b" Once");
        assert_eq!(text(BOS, 4, true), b" Once");
        assert_eq!(text(5, 3, false), b"\n");
        assert_eq!(text(5, 3, true), b"<0x0A>");
        assert_eq!(text(5, 6, false), b"", "escape would upset the screen");
        assert_eq!(text(5, 7, false), b"\xC3", "part of a character");
        assert_eq!(text(5, 8, false), b"", "not in the vocabulary");
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let file = file_of(&PIECES);
        for end in 0..file.len() {
            assert!(Tokenizer::parse(&file[..end], 8).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn lies_are_refused() {
        let mut negative = file_of(&PIECES);
        negative[8..12].copy_from_slice(&(-5i32).to_le_bytes());
        assert_eq!(Tokenizer::count(&negative), Err(TokenizerError::BadLength { piece: 0, length: -5 }));
        let mut nan = file_of(&PIECES);
        nan[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(Tokenizer::count(&nan), Err(TokenizerError::BadScore { piece: 0 }));
        let other = Tokenizer::parse(&file_of(&PIECES), 9).err();
        assert_eq!(other, Some(TokenizerError::PieceCount { pieces: 8, vocab_size: 9 }));
    }

    #[test]
    fn score_order_is_the_order_of_floats() {
        let scores = [f32::NEG_INFINITY, -1e10, -3.5, -1e-40, 0.0, 1e-40, 2.0, f32::INFINITY];
        let orders: Vec<_> = scores.iter().map(|s| score_order(s.to_bits()).unwrap()).collect();
        assert!(orders.is_sorted_by(|a, b| a < b), "{orders:?}");
        assert_eq!(score_order((-0.0f32).to_bits()), score_order(0.0f32.to_bits()));
    }
}
