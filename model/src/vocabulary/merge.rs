//! Joining neighbours, the best pair first.
//!
//! Symbols stand in a row that is linked both ways, the pairs that can be joined in a heap, by rank and
//! place. Where another pair stands at a place when its turn comes, one of its symbols was joined to
//! another; it is dropped. So n symbols take about n log n steps, where a search for the best pair
//! before each merge would take n².
use super::Vocabulary;
use super::encoder::EncodeError;
use super::format::{Merge, NONE};
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A row of symbols. Its memory is used again for the next row.
#[derive(Default)]
pub(super) struct Row {
    places: Vec<Place>,
    /// Neighbours that can be joined: the rank in the upper half, the left one's place in the lower. The least
    /// is joined first: that of the best rank, the leftmost of equal ones.
    pairs: BinaryHeap<Reverse<u64>>,
}

/// A place in the row.
#[derive(Clone, Copy)]
struct Place {
    /// The symbol here, [`NONE`] once it is joined to the one before it.
    symbol: u32,
    /// The place before it that still has a symbol, [`NONE`] at the beginning.
    previous: u32,
    /// The place behind it that still has a symbol, [`NONE`] at the end.
    next: u32,
}

impl Row {
    /// Makes room for so many symbols, and none of them is there yet.
    pub fn clear(&mut self, symbols: usize) -> Result<(), EncodeError> {
        self.places.clear();
        self.pairs.clear();
        self.places.try_reserve(symbols)?;
        // At most a pair for each two neighbours, and one more for each merge: it takes one pair out
        // and puts two in.
        self.pairs.try_reserve(2 * symbols)?;
        Ok(())
    }

    /// Puts a symbol at the end of the row.
    pub fn push(&mut self, symbol: u32) {
        let place = self.places.len() as u32;
        if let Some(last) = self.places.last_mut() {
            last.next = place;
        }
        self.places.push(Place { symbol, previous: place.wrapping_sub(1), next: NONE });
    }

    /// Joins neighbours until no pair can be joined.
    pub fn merge(&mut self, vocabulary: &Vocabulary) {
        for place in 0..self.places.len() as u32 {
            self.offer(vocabulary, place);
        }
        while let Some(Reverse(pair)) = self.pairs.pop() {
            let (rank, place) = ((pair >> 32) as u32, pair as u32);
            let Some([.., made]) = self.merge_at(vocabulary, place).filter(|merge| merge[2] == rank) else {
                continue;
            };
            let left = self.places[place as usize];
            let right = self.places[left.next as usize];
            self.places[left.next as usize].symbol = NONE;
            self.places[place as usize] = Place { symbol: made, next: right.next, ..left };
            if right.next != NONE {
                self.places[right.next as usize].previous = place;
            }
            if left.previous != NONE {
                self.offer(vocabulary, left.previous);
            }
            self.offer(vocabulary, place);
        }
    }

    /// Puts the pair that begins at `place` into the heap, if it can be joined.
    fn offer(&mut self, vocabulary: &Vocabulary, place: u32) {
        if let Some([_, _, rank, _]) = self.merge_at(vocabulary, place) {
            self.pairs.push(Reverse(u64::from(rank) << 32 | u64::from(place)));
        }
    }

    /// What the pair that begins at `place` makes.
    fn merge_at(&self, vocabulary: &Vocabulary, place: u32) -> Option<Merge> {
        let left = self.places[place as usize];
        let right = self.places.get(left.next as usize)?; // there is no place NONE
        vocabulary.merge_of(left.symbol, right.symbol)
    }

    /// The symbols that are left.
    pub fn symbols(&self) -> impl Iterator<Item = u32> {
        self.places.iter().map(|place| place.symbol).filter(|&symbol| symbol != NONE)
    }
}
