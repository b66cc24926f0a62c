//! What groups of columns are in 16 rows: the same instructions for SSE2 and SSE4.1 but for the product of 32-bit
//! lanes.

/// `add_groups_with_offsets` and `add_groups` for a target feature and its function that multiplies four lanes.
macro_rules! operations {
    ($feature:literal, $multiply:path) => {
        /// As [`super::scalar::add_groups_with_offsets`].
        #[target_feature(enable = $feature)]
        #[inline(never)]
        #[optimize(speed)]
        pub fn add_groups_with_offsets(
            sums: &[[i32; $crate::matrix::TILE_ROWS]],
            factors: &[$crate::matrix::factors::Vector],
            half_sums: &[i32],
            y: &mut [i32; $crate::matrix::TILE_ROWS],
        ) {
            const K: i32 = super::SUM_SHIFT_WITH_OFFSETS as i32;
            const SHIFT: i32 = super::PRODUCT_SHIFT as i32;
            let mut totals: [__m128i; 4] = bytemuck::cast(*y);
            let low = _mm_set1_epi32(0xFFF);
            for ((sums, factors), &half_sum) in sums.iter().zip(factors.as_chunks::<3>().0).zip(half_sums) {
                let half_sum = _mm_set1_epi32(half_sum);
                let sums: [__m128i; 4] = bytemuck::cast(*sums);
                let [a, b, c]: [__m128i; 3] = bytemuck::cast(*factors);
                let second = _mm_and_si128(_mm_srli_epi32::<16>(b), _mm_set1_epi32(0xFF00));
                let third = _mm_and_si128(_mm_srli_epi32::<8>(c), _mm_set1_epi32(0xFF_0000));
                let tops = _mm_or_si128(_mm_srli_epi32::<24>(a), _mm_or_si128(second, third));
                for ((total, sum), factors) in totals.iter_mut().zip(sums).zip([a, b, c, tops]) {
                    let d = _mm_and_si128(factors, low);
                    let o = _mm_srai_epi32::<20>(_mm_slli_epi32::<8>(factors));
                    let product =
                        _mm_add_epi32($multiply(_mm_srai_epi32::<K>(sum), d), $multiply(o, half_sum));
                    *total = _mm_add_epi32(*total, _mm_srai_epi32::<SHIFT>(product));
                }
            }
            *y = bytemuck::cast(totals);
        }

        /// As [`super::scalar::add_groups`].
        #[target_feature(enable = $feature)]
        #[inline(never)]
        #[optimize(speed)]
        pub fn add_groups(
            sums: &[[i32; $crate::matrix::TILE_ROWS]],
            factors: &[$crate::matrix::factors::Vector],
            y: &mut [i32; $crate::matrix::TILE_ROWS],
        ) {
            const K: i32 = super::SUM_SHIFT as i32;
            const SHIFT: i32 = super::PRODUCT_SHIFT as i32;
            let mut totals: [__m128i; 4] = bytemuck::cast(*y);
            let low = _mm_set1_epi32(0xFFFF);
            for (sums, factors) in sums.iter().zip(factors.as_chunks::<2>().0) {
                let sums: [__m128i; 4] = bytemuck::cast(*sums);
                let [a, b]: [__m128i; 2] = bytemuck::cast(*factors);
                let d = [
                    _mm_and_si128(a, low),
                    _mm_srli_epi32::<16>(a),
                    _mm_and_si128(b, low),
                    _mm_srli_epi32::<16>(b),
                ];
                for ((total, sum), d) in totals.iter_mut().zip(sums).zip(d) {
                    let product = $multiply(_mm_srai_epi32::<K>(sum), d);
                    *total = _mm_add_epi32(*total, _mm_srai_epi32::<SHIFT>(product));
                }
            }
            *y = bytemuck::cast(totals);
        }
    };
}

pub(super) use operations;
