//! Blocks of random codes, and the numbers that Python's `gguf` 0.19 (`gguf.quants.dequantize`)
//! makes of them. Scales are of both signs; the last block's are below the normal halves.
use super::super::types::TensorType;
use super::{codes, dequantize};
use crate::crc32::crc32;

struct Known {
    kind: TensorType,
    /// Bytes as hexadecimal digits.
    blocks: &'static str,
    /// Six of the numbers, spread evenly from the first to the last.
    some: [f32; 6],
    /// CRC-32 of all numbers' bytes.
    crc: u32,
}

impl Known {
    fn bytes(&self) -> Vec<u8> {
        let digits = self.blocks.as_bytes().chunks(2).map(|two| str::from_utf8(two).unwrap());
        digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
    }
}

#[test]
fn numbers_are_those_of_a_public_implementation() {
    for known in &KNOWN {
        let (kind, bytes) = (known.kind, known.bytes());
        let mut numbers = vec![0.0; bytes.len() / kind.block_bytes() * kind.block_elements()];
        dequantize(kind, &bytes, &mut numbers).unwrap();
        let some: [f32; 6] = std::array::from_fn(|j| numbers[j * (numbers.len() - 1) / 5]);
        assert_eq!(some.map(f32::to_bits), known.some.map(f32::to_bits), "{}: {some:?}", kind.name());
        assert_eq!(crc32(bytemuck::cast_slice(&numbers)), known.crc, "{}: {numbers:?}", kind.name());
    }
}

#[test]
fn codes_stand_for_the_same_numbers() {
    for known in &KNOWN {
        let (kind, bytes) = (known.kind, known.bytes());
        let Some(codes) = codes(kind, &bytes).unwrap() else {
            assert_eq!(kind.block_elements(), 1, "{} has codes", kind.name());
            continue;
        };
        let numbers = codes.q.iter().enumerate().map(|(j, &q)| codes.groups[j / codes.columns].value(q));
        let numbers: Vec<f32> = numbers.collect();
        assert_eq!(crc32(bytemuck::cast_slice(&numbers)), known.crc, "{}: {codes:?}", kind.name());
        assert_eq!(codes.groups.len() * codes.columns, codes.q.len());
    }
}

#[test]
fn every_type_is_known() {
    assert_eq!(KNOWN.each_ref().map(|known| known.kind), TensorType::ALL);
}

const KNOWN: [Known; 13] = [
    Known {
        kind: TensorType::F32,
        blocks: "e9a6213f7dd0e03e6b6a44bf00000080bd37863500606ac7da1200403f4d4d3fea4d97bf62ec7cbfc337a23e44c49f3e\
            3d133abfe3a19b3fe9b0c63dd1d85cbf",
        some: [0.6314531, -0.0, 2.0011506, -0.9879819, -0.72685605, -0.86268336],
        crc: 0xDCFF3A90,
    },
    Known {
        kind: TensorType::F16,
        blocks: "3dbfb2b4e7380080110053fb3cb121b8d9bc65b8e7bcb234e929cd3cdabd5f3c",
        some: [-1.8095703, -0.0, -0.16357422, -0.5493164, 0.046173096, 1.0927734],
        crc: 0x95D4B764,
    },
    Known {
        kind: TensorType::Bf16,
        blocks: "b13f883f843e008086356ac709bede3e983f883eeebe47bfbd3e8c3f0c3fea3e",
        some: [1.3828125, -0.0, -0.13378906, 0.265625, 0.36914062, 0.45703125],
        crc: 0x0244C4AF,
    },
    Known {
        kind: TensorType::Q4_0,
        blocks: "111e5ff5fe0df303b4ffb3d3b7629a94477ae5a4a37b627a50b4c72d5e5305b0b6f3e5d0f701331ea91d041769fa89ac\
            d1de04755552",
        some: [0.041469574, -0.0473938, 0.019119263, 0.057357788, -0.000119924545, -8.994341e-5],
        crc: 0x3113A97B,
    },
    Known {
        kind: TensorType::Q4_1,
        blocks: "2421cb211ef216d872f410d04e22363558cd7b61b79f79a16f69cbb1d09e53df54d62fe71159efd4f701f701f406a996\
            34d81c899de026bdb6e71f9a",
        some: [0.15187836, 0.14183807, -0.033290863, -0.108631134, 0.00020986795, 0.00029981136],
        crc: 0x878EED49,
    },
    Known {
        kind: TensorType::Q5_0,
        blocks: "2624cf914f38b4734bb3e4fa442a1ffa077785fd00f885a4cd8a43b670bccebe99af022f32c103321891e1dff7015b41\
            d4e71f40c12046789fa7ad0970ac1c0b7ac3",
        some: [0.064819336, 0.17825317, -0.035308838, -0.21185303, -0.000119924545, 0.00035977364],
        crc: 0x736BAF6F,
    },
    Known {
        kind: TensorType::Q5_1,
        blocks: "a721331b319bf9cd26539c77931e614e0685d94a90e5bd8d779b02a5707142b363fc51934905370ec68cacb1dfdee615\
            f701f701f939cab65322a88560458257ddf123b1506bbb17",
        some: [0.24638939, 0.25742912, -0.10339546, -0.107040405, 0.0005096793, 0.00053966045],
        crc: 0x034ABA83,
    },
    Known {
        kind: TensorType::Q8_0,
        blocks: "c41b9f607a7a1a34deca6c61ff39432706d374402ac3e5b543011974587a1c3c270f169e82fb07defdaf78cc95f5adc0\
            db87d0c7841ea7cd782d06a7624ef8618ce1bbeef70168cf9692e282605aa6ebab07dd6fb8e1c5df9252365fb2844e49\
            99b46e30c9cc",
        some: [-0.36780548, -0.23130035, -0.7131958, -0.46357727, -0.0010493398, -0.0015590191],
        crc: 0xE7B14573,
    },
    Known {
        kind: TensorType::Q2K,
        blocks: "768270d35dcd084fadef1f4f211ba57980ac5d761430a2e5dd53257107e2e79541fd7cedf9a3366d928d5865afbb4918\
            43c62ccd53417ba4a71908ccac65286dc2de8960d37347253cd4a7dd171ea49bb30d9511d3f5089b449449fc3c715def\
            d3493283d10be905e4c93db3aa26e32208bb542442480054e3893e71eaedd4292165c6475f7dd8156bbee6d077cfde14\
            a452203cd4289992f741039a0abd68802e96ae8b50815081",
        some: [-0.004769802, 0.0055656433, -0.0006670952, 0.00018024445, 0.0001001358, 4.005432e-5],
        crc: 0x752F4818,
    },
    Known {
        kind: TensorType::Q3K,
        blocks: "f47eaf4d4a604cae15ea08ff2273fead09575e11569868e6e2b50463b45fb064b21a894a5b80a9245473d62dadac8ba9\
            2baeb61e58d414fd6bad4e3f1f0b2f42624fc15b016436a05c82337a5467db4b87627601717ba4580cff7837d638b768\
            6ed80948aa73182a4f57bc3be51467475d27df61de96a69df0839e4bc2130dc049003f9fc742e0ae48901afc2d06d7e9\
            324f1d935b6ff5820641608756d6fcb25cff0de2f33a653e06c174f50c00a3099498e3889447359e6f5dc783be5e3605\
            51995cf9f8300e216e9a3424306a551f10ae3912a29ed06530ea5081",
        some: [-0.071697235, 0.057357788, 0.02150917, 0.00028038025, 4.005432e-5, 0.001502037],
        crc: 0xF7C57827,
    },
    Known {
        kind: TensorType::Q4K,
        blocks: "a414bf0da0e064dd8b9ffd980101d5f67c5506e989963e8174d99ac45dae37ba263fc1f9448e7de327e9977bf315175b\
            425053dfa3ce2992db3310f872e3a96ca847249f11507943c12834f5b3981bf653f78dc7df672627781530230ffd1637\
            e9deb9d225bf18dea4ae01ee0c69fdb525b8a7ba3f8b6f4bb8d45a4d1bbb913cbfd2185efae9cd92de27038104a498c5\
            5081508168fb348ef463c7444ffe2a4994c909e884cb312d1d24f0b0c678f2baa481c002290288f40e673e5c9704ea0d\
            3190797d89150898dee170b92e46f6c9e88a253932b88698965d7cc8bc35fd1c9420851fe513de02217a24a862b7ffd8\
            ab39f1370b2cc4566a4fe77dc3f8e93af6e9e43694ee64c89834f0b7248c8c2ec362ea28d91eeb678ff81e332c786d4d",
        some: [0.43120074, 0.057294846, 0.2403214, -0.013478279, -0.0051670074, -0.0028839111],
        crc: 0x896321A7,
    },
    Known {
        kind: TensorType::Q5K,
        blocks: "ee1448115aad10e54b4b4253d791e8d02d07e54d0f790e9c200db6d8a9f464340a7758b1c13ed5427c7b15074e36db48\
            4ae1112723c795ef18d977cd5715ecfde823818b232d1a40e5de30e139c775eb424dc8360d1ea8f2cc69144959779a7f\
            0d46ac03bf53ee80bf1bd9447ea4f8df5d2344239d634ee55aa9a2c01274ff29d950a8ac682311298aaf1916a20578f7\
            f46c21f25b6fa59861b0f3745df51eb1f5746ef870b84e85fc77513b2fe7fd88508150814c929ef930d0a2a87f023a3a\
            37939ded763e71bf7102e1bd1a810e5cc8814fca1347e6fe14e9151c0a9ec67e9ccf15a8f078bd516cbd6334ef1d57f3\
            dbf7ad4364d4ba71cbcd7a946404fec7d5b79ed58a799ed259a389f7465895736fdb7a5e240c3e2b79438f59986f8a2f\
            d855a01d6f2cbb92f3c0a85469680ddee30fed9bb0d09a8f9c94e4809002fdd8060003a582626cb049002bce4164c683\
            db430da9290f0be6d0718d3e973f5166",
        some: [0.8064995, 1.1455536, 0.10582733, -0.009052277, -0.017243385, -0.0062685013],
        crc: 0x1D92522E,
    },
    Known {
        kind: TensorType::Q6K,
        blocks: "b91d5a76f9a7bbd1422214c9c7cdacebf91f862d97bcf215369cc4b6cee60627847d5958d030bb7b39482ae650700cb5\
            5bbc7894f45ebedd89a9264730df953acd963d5fd0bf2fa16518df8986cc1b3102950929250c61b51286a883cacbbc21\
            a9e59b9f47a19bdaba443efbaa776caf0ffa60818d8918f98dd6c9dc1502f4014b3f52d96a3677f2ac48ab2d9a5cee5b\
            1970d3d6f12b30cbd9d37eedba27a36fc5237864ed10d94090b75609306b380388be617e756583a4617d2260558d152d\
            a2f6bfd23e0dfb50617a4d8260bbe90f7d10381fd443936fa8c395a0dd4814f98a0912f4cd04e642839122d07165e645\
            a760170f446949183fb5572564b3e8a219ab957a462e7c4ef2bd28ba223edfbb62c7108746e0bf0dd80c605c0321b3d0\
            60c59c05518b1a29ea2abe9219c676a0ef46525d68b3aeb5f0ac29dedfcd94262bc07b033e162530a240141f97331493\
            a987422df71dde8b8335bc1eafe3002c916be6b2da4c7dbe819d65d81765692376774433f07b44964ff33a6f7991d108\
            0c3087ec9f783c5c3acf7eb711e3baa5826367dbe937764abbfdf6cecb1286fabc455081",
        some: [-1.2875319, 0.013697147, 1.2623291, -0.006608963, 0.014019012, 0.011054993],
        crc: 0x5794FF50,
    },
];
