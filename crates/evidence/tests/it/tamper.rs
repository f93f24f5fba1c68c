//! Whatever is changed is found.

use std::sync::LazyLock;

use plimsoll_evidence::{PublicKey, StickerEnvelope, verify_packet};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::common::{bare, decision, key, sticker};

/// A key, and genuine files in each form.
static GENUINE: LazyLock<(PublicKey, Vec<Vec<u8>>)> = LazyLock::new(|| {
    let key = key();
    let packet = key.sign_statement(&decision()).unwrap();
    let sticker = StickerEnvelope::sign(&sticker(), &key).unwrap().as_str().as_bytes().to_vec();
    let files = vec![bare(&packet), packet, sticker];
    (key.public_key().clone(), files)
});

/// Pieces of JSON, some of them traps.
const WORDS: [&str; 12] =
    ["{", "}", "[", "]", ",", ":", "\"payload\"", "\"signatures\"", "\"mediaType\"", "1e999", "null", "\"\\ud800\""];

/// Every bit of every byte, without exception.
#[test]
fn no_flipped_bit_passes() {
    let (key, files) = &*GENUINE;
    for file in files {
        verify_packet(file, key).unwrap();
        for (offset, bit) in (0..file.len()).flat_map(|offset| (0..8).map(move |bit| (offset, bit))) {
            let mut changed = file.clone();
            changed[offset] ^= 1 << bit;
            assert!(verify_packet(&changed, key).is_err(), "bit {bit} of byte {offset}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_changed_byte_passes(file in 0..3_usize, at: Index, other in 1..=255_u8) {
        let (key, files) = &*GENUINE;
        let mut changed = files[file].clone();
        let offset = at.index(changed.len());
        changed[offset] = changed[offset].wrapping_add(other);
        prop_assert!(verify_packet(&changed, key).is_err(), "byte {offset}");
    }

    #[test]
    fn nothing_put_in_or_taken_out_passes(file in 0..3_usize, at: Index, length in 0..4_usize, put in vec(any::<u8>(), 0..4)) {
        let (key, files) = &*GENUINE;
        let mut changed = files[file].clone();
        let offset = at.index(changed.len());
        changed.splice(offset..(offset + length).min(files[file].len()), put);
        prop_assume!(changed != files[file]);
        prop_assert!(verify_packet(&changed, key).is_err(), "from byte {offset}");
    }

    /// No input crashes the reader: bytes, and pieces of JSON in any order.
    #[test]
    fn no_input_crashes(bytes in vec(any::<u8>(), 0..400), pieces in vec(0..12_usize, 0..60)) {
        let (key, _) = &*GENUINE;
        let json: String = pieces.into_iter().map(|piece| WORDS[piece]).collect();
        prop_assert!(verify_packet(&bytes, key).is_err());
        prop_assert!(verify_packet(json.as_bytes(), key).is_err());
        prop_assert!(StickerEnvelope::verify(&bytes, key).is_err());
    }
}
