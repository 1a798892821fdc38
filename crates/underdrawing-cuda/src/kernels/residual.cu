// Residual networks of three convolutions of 3x3, forwards, backwards, and what their weights learn
// from:
//
//   F = leaky(conv(first, x))    S = F + leaky(conv(middle, F))    U = conv(last, [S, x])
//
// Implicit products of matrices on tensor cores, of TF32 or, PRECISE, of three products of TF32
// that are nearly FP32 (Markidis et al. 2018). Compute capability 8.0 and up; before that this file
// is empty.
//
// All tensors are `[n, h, w, c]`, weights `[c_out, 3, 3, c_in]`, aligned to 16 bytes. C is the
// channels of x, W those inside, CO those of U; all are multiples of 4. h, w and n are any, as long
// as 18 w max(C, W, CO) < 2^31 and there are fewer than 2^31 tiles.
//
// The host appends kernels like this one, one for each template and channels that it needs:
//
//   extern "C" __global__ void __launch_bounds__(128)
//   forward_first_12_32(const float *x, const float *weight, const float *bias, float *f, int n,
//                       int h, int w) {
//       residual::forward_first<12, 32, false, 4, 4, 1>(x, weight, bias, f, n, h, w);
//   }
//
// Template parameters of convolutions: channels, PRECISE, then ROWS, DOWN, ACROSS (below: T). A
// block has 32 DOWN ACROSS threads and works on tiles of `ROWS DOWN` x 16 pixels; a warp, on ROWS
// rows of one, and on a share of the channels if ACROSS is not 1. T is `2, 8, 1` where N (below) is
// at most 48 and a multiprocessor has shared memory for two such blocks (the H100's have, at C = 12
// and W = 32), otherwise `2, 4, 1`. Anything up to 1024 threads a block works.
//
// At W = 64 and C = 12, `2, 4, 1` takes up to 210 KiB, which of today's cards only those of 227 KiB
// have; at W = C = CO = 64 the last convolution fits none. The host asks, and does without.
//
//   forward_first<C, W, PRECISE, T>        x, weight, bias, F                       n, h, w
//   forward_middle<W, PRECISE, T>          F, weight, bias, S                       n, h, w
//   forward_last<C, W, CO, PRECISE, T>     S, x, weight, bias, y                    n, h, w
//       y = U
//   forward_last_added<C, W, CO, PRECISE, T>
//                                          S, x, weight, bias, other, y             n, h, w, sign
//       y = other + sign U; y may be other
//   forward_last_coupled<C, W, CO, PRECISE, T>
//                                          S, x, weight, bias, z, y, t             n, h, w, sign
//       U = [t, b], CO a multiple of 8; z, y and t have CO / 2 channels
//       sign 1: y = z exp(tanh(t)) + b; sign -1: y = (z - b) exp(-tanh(t))
//       y may be z; t may be null
//   backward_last<C, W, CO, PRECISE, T>    dy, weight, S, F, dM, dx                 n, h, w, sign
//       dy: gradient of sign U; dM: of the middle convolution before its activation
//   backward_middle<W, PRECISE, T>         dM, weight, S, F, dF                     n, h, w
//       dF: gradient of the first convolution before its activation
//   backward_first<C, W, PRECISE, T>       dF, weight, dx, other, dx_out            n, h, w
//       dx_out = dx + other + ...; other may be null, dx_out may be dx or other
//
// `weight` is always the weights of the convolution of the kernel's name. Pointers to what is read
// are `const float *`; that to what is written is the last, or the last two.
//
//   grid:   (blocks, 1, 1), at most as many as there are tiles,
//           n * ceil(h / (ROWS DOWN)) * ceil(w / 16); those that fit the card at once are enough
//   block:  (32 DOWN ACROSS, 1, 1)
//   dynamic shared memory: Plan<K, N, BACK, T>::SHARED_BYTES, with K, N, BACK
//       forward_first   C,     W,     false        backward_last    CO, W + C, true
//       forward_middle  W,     W,     false        backward_middle  W,  W,     true
//       forward_last*   W + C, CO,    false        backward_first   W,  C,     true
//     which is 4 (INPUT + WEIGHTS) bytes:
//       EIGHTS = ceil(N / (8 ACROSS))      COLUMNS_N = 8 ACROSS EIGHTS      ROW_K = up8(3 K)
//       INPUT = (ROWS DOWN + 2) 18 odd4(K)
//       WEIGHTS = BACK ? 3 ROW_K odd8(COLUMNS_N) : COLUMNS_N odd4(3 ROW_K)
//     up8(v): least multiple of 8 >= v; odd4(v): v if v mod 8 = 4, else v + 4;
//     odd8(v): up8(v) if that mod 16 = 8, else up8(v) + 8.
//
//   weight_gradients<C, W, CO, PRECISE, WARPS, BUFFERS>
//       x, F, S, dF, dM, dy, partials      n, h, w, blocks_first, blocks_middle, blocks_last
//     All three convolutions in one launch.
//     grid:   (blocks_first + blocks_middle + blocks_last, 1, 1)
//     block:  (32 WARPS, 1, 1); WARPS is 12, or 8 (or 4) where PRECISE or W > 32, for the
//             registers; BUFFERS is 2, or 1 where shared memory is short
//     dynamic shared memory: the largest of Gradient<A, B, N, WARPS, BUFFERS>::SHARED_BYTES with
//     A, B, N = (C, 0, W), (W, 0, W), (W, C, CO), each 4 max(TILES, EXCHANGE) bytes:
//       K = 3 (A + B)                      SIXTEENS = ceil(N / 16)
//       sums(shares) = 12 SIXTEENS ceil(K / (8 shares))
//       SPLITS = 4 if sums(WARPS / 4) <= 72, else 2 if sums(WARPS / 2) <= 72, else 1
//       SHARES = WARPS / SPLITS
//       TILES = BUFFERS (180 odd8(A + B) + 128 odd8(16 SIXTEENS))
//       EXCHANGE = floor(SPLITS / 2) SHARES 32 (sums(SHARES) + 2 SIXTEENS)
//     workspace `partials`, floats:
//       blocks_last PARTIAL(W + C, CO) + blocks_middle PARTIAL(W, W) + blocks_first PARTIAL(C, W)
//     with PARTIAL(c, n) = 9 c n + n, and in that order. Tiles are of 8x16 pixels; a convolution's
//     blocks take turns at them. Blocks in proportion to 3 ceil(K / 8) SIXTEENS of each, as many as
//     the card runs at once in all, and no more than tiles; then rounded so that all have nearly as
//     many tiles: blocks = ceil(tiles / ceil(tiles / blocks)).
//
//   reduce_partials<C, W, CO>
//       partials, dweight_first, dbias_first, dweight_middle, dbias_middle, dweight_last,
//       dbias_last      blocks_first, blocks_middle, blocks_last, sign, added
//     Blocks and sign as above (dy is the gradient of sign U); if `added`, added to what is there.
//     The order of summing is fixed, so that the same grid gives the same bits.
//     grid:   (ceil((PARTIAL(W + C, CO) + PARTIAL(W, W) + PARTIAL(C, W)) / 128), 1, 1)
//     block:  (256, 1, 1)      dynamic shared memory: 4096 bytes
//
// On compute capability 9.0 and up all of these may be launched with the attribute
// CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION: they start while the kernel before them
// ends, copy weights, and wait for it before they touch anything else. Whatever comes straight after
// a kernel that writes weights is launched without, and so is every kernel that does not wait.

#if defined(EMULATED) || __CUDA_ARCH__ >= 800

namespace residual {

const float SLOPE = 0.2f;

// Columns of a tile of pixels, and with one more on each side.
const int COLUMNS = 16;
const int HALO_COLUMNS = COLUMNS + 2;

// The least multiple of `step` that `value` fits in.
__device__ constexpr int up(int value, int step) {
    return (value + step - 1) / step * step;
}

// The least odd multiple of four that `value`, a multiple of four, fits in. Eight rows of four
// floats that far apart are in banks of their own.
__device__ constexpr int odd_fours(int value) {
    return value % 8 == 4 ? value : value + 4;
}

// The least odd multiple of eight that `value` fits in. Four rows of eight floats that far apart
// are in banks of their own.
__device__ constexpr int odd_eights(int value) {
    return up(value, 8) % 16 == 8 ? up(value, 8) : up(value, 8) + 8;
}

__device__ __forceinline__ float leaky(float x) {
    return x >= 0.0f ? x : SLOPE * x;
}

__device__ __forceinline__ float2 load2(const float *at) {
    return *(const float2 *)at;
}

__device__ __forceinline__ void store2(float *at, float x, float y) {
    *(float2 *)at = make_float2(x, y);
}

// Half of the last digit that tensor cores read of a float: they leave out what comes after it, so
// that adding this first rounds to the nearest. An addition of whole numbers is several times
// faster than the instruction that rounds.
const unsigned HALF = 0x1000;

// What tensor cores read of words that are floats, or twice that: the nearest TF32 and what it
// lacks. Three products of such pairs are nearly as exact as FP32.
template <int WORDS>
__device__ __forceinline__ void round_words(unsigned (&words)[WORDS]) {
#pragma unroll
    for (int i = 0; i < WORDS; i++) {
        words[i] += HALF;
    }
}

template <int WORDS>
__device__ __forceinline__ void split_words(const unsigned (&words)[WORDS], unsigned (&big)[WORDS],
                                            unsigned (&small)[WORDS]) {
#pragma unroll
    for (int i = 0; i < WORDS; i++) {
        big[i] = (words[i] + HALF) & ~(2 * HALF - 1);
        small[i] = __float_as_uint(__uint_as_float(words[i]) - __uint_as_float(big[i]));
    }
}

// A tile of an image.
struct Tile {
    long long pixel; // number of its first pixel among those of all images
    int row, column; // of that pixel
};

template <int ROWS> __device__ __forceinline__ int n_tiles(int n, int h, int w) {
    return n * ((h + ROWS - 1) / ROWS) * ((w + COLUMNS - 1) / COLUMNS);
}

template <int ROWS> __device__ __forceinline__ Tile tile_at(int tile, int h, int w) {
    const int across = (w + COLUMNS - 1) / COLUMNS;
    const int down = (h + ROWS - 1) / ROWS;
    const int row = tile / across % down * ROWS;
    const int column = tile % across * COLUMNS;
    const int image = tile / across / down;
    return {((long long)image * h + row) * w + column, row, column};
}

// Copies a tile of ROWS rows with BORDER pixels more on each side, of tensors of C channels; zeros
// outside the image. STRIDE is from pixel to pixel in shared memory.
template <int C, int ROWS, int BORDER, int STRIDE, int THREADS>
__device__ __forceinline__ void load_pixels(float *to, const float *from, Tile tile, int h,
                                            int w) {
    // A row of pixels is one piece of memory. A warp copies it, four floats a lane.
    const int ACROSS = COLUMNS + 2 * BORDER;
    const int FOURS = ACROSS * (C / 4);
    const int lane = computed_anew(threadIdx.x % 32);
    from += (tile.pixel - BORDER) * C + 4 * lane;
    for (int row = threadIdx.x / 32; row < ROWS + 2 * BORDER; row += THREADS / 32) {
        const bool inside = (unsigned)(tile.row + row - BORDER) < (unsigned)h;
        const float *const from_row = from + (row - BORDER) * w * C;
        float *const to_row = to + row * (ACROSS * STRIDE);
#pragma unroll
        for (int i = 0; i < FOURS; i += 32) {
            const int pixel = (i + lane) / (C / 4);
            const int channel = (i + lane) % (C / 4) * 4;
            if (i + 32 <= FOURS || i + lane < FOURS) {
                copy_async16_or_zeros(to_row + pixel * STRIDE + channel, from_row + 4 * i,
                                      inside && (unsigned)(tile.column + pixel - BORDER) <
                                                    (unsigned)w);
            }
        }
    }
}

// ---- Convolutions ------------------------------------------------------------------------------

// A convolution of tiles as a product of matrices: rows are the pixels of a tile, columns the N
// channels that come out, and the sum is over the 9 pixels around and C channels. A warp has
// ROWS rows of 16 pixels and a share of the channels; a block has DOWN x ACROSS warps.
//
// One that goes BACK is by the weights of a convolution that made C channels from N.
template <int C_, int N_, bool BACK_, int ROWS_, int DOWN_, int ACROSS_> struct Plan {
    static const int C = C_, N = N_, ROWS = ROWS_, DOWN = DOWN_, ACROSS = ACROSS_;
    static const bool BACK = BACK_;
    static const int THREADS = 32 * DOWN * ACROSS;
    static const int TILE_ROWS = ROWS * DOWN;
    // Eights of channels that a warp computes, and columns there is room for.
    static const int EIGHTS = (N + 8 * ACROSS - 1) / (8 * ACROSS);
    static const int COLUMNS_N = 8 * ACROSS * EIGHTS;
    // Of the three pixels beside one another that a row of weights is for; eight a step.
    static const int ROW_K = up(3 * C, 8);
    // In shared memory: floats from pixel to pixel; of a row of weights.
    static const int PIXEL = odd_fours(C);
    static const int WEIGHT_ROW = BACK ? odd_eights(COLUMNS_N) : odd_fours(3 * ROW_K);
    static const int INPUT = (TILE_ROWS + 2) * HALO_COLUMNS * PIXEL;
    static const int WEIGHTS = (BACK ? 3 * ROW_K : COLUMNS_N) * WEIGHT_ROW;
    static const int SHARED_BYTES = 4 * (INPUT + WEIGHTS);
};

// The weights `[c_out, 3, 3, c_in]`. Forwards `[n][row][column, c]`: rows of what is summed.
// Backwards `[row, column, c][n]`, rows and columns the other way round.
template <class P> __device__ __forceinline__ void load_weights(float *to, const float *weights) {
    if (P::BACK) {
        const int FOURS = 9 * P::C * (P::N / 4);
#pragma unroll 4
        for (int i = threadIdx.x; i < FOURS; i += P::THREADS) {
            const int n = i % (P::N / 4) * 4;
            const int tap = 8 - i / (P::N / 4) % 9;
            const int c = i / (P::N / 4 * 9);
            const int k = tap / 3 * P::ROW_K + tap % 3 * P::C + c;
            copy_async16(to + k * P::WEIGHT_ROW + n, weights + 4 * i);
        }
        const int PADS = 3 * (P::ROW_K - 3 * P::C) * P::COLUMNS_N;
        for (int i = threadIdx.x; i < PADS; i += P::THREADS) {
            const int n = i % P::COLUMNS_N;
            const int k = i / P::COLUMNS_N / 3 + 3 * P::C;
            to[(i / P::COLUMNS_N % 3 * P::ROW_K + k) * P::WEIGHT_ROW + n] = 0.0f;
        }
    } else {
        const int ROW_FOURS = 3 * P::C / 4;
        const int FOURS = P::N * 3 * ROW_FOURS;
#pragma unroll 4
        for (int i = threadIdx.x; i < FOURS; i += P::THREADS) {
            const int k = i % ROW_FOURS * 4 + i / ROW_FOURS % 3 * P::ROW_K;
            copy_async16(to + i / (3 * ROW_FOURS) * P::WEIGHT_ROW + k, weights + 4 * i);
        }
        const int PADS = P::N * 3 * (P::ROW_K - 3 * P::C);
        for (int i = threadIdx.x; i < PADS; i += P::THREADS) {
            const int k = i / P::N / 3 + 3 * P::C;
            to[i % P::N * P::WEIGHT_ROW + i / P::N % 3 * P::ROW_K + k] = 0.0f;
        }
    }
}

// Floats from a pixel to what the `four`th four weights of a row are for. A four that pads has
// weights of zero; it reads what the one before it does, so that it brings nothing in.
template <class P> __device__ constexpr int offset_of(int four) {
    return (four < 3 * P::C / 4 ? four : four - 1) * 4 / P::C * P::PIXEL +
           (four < 3 * P::C / 4 ? four : four - 1) * 4 % P::C;
}

// sum[row][eight of channels] += the products of this warp's pixels and weights. `input` is where
// this warp's rows begin, `weights` where its channels do.
//
// A row of pixels serves three rows of weights. So it is read once, for each eight of `k`, and
// not three times.
template <class P, bool PRECISE>
__device__ __forceinline__ void multiply(float (&sum)[P::ROWS][P::EIGHTS][4], const float *input,
                                         const float *weights) {
    const int lane = threadIdx.x % 32;
    const int upper = lane / 16; // whether this lane says where the upper four of eight k are
    const float *pixel = input + lane % 16 * P::PIXEL;
    const float *weight = P::BACK ? weights + lane % 4 * P::WEIGHT_ROW + lane / 4
                                  : weights + (lane / 16 * 8 + lane % 8) * P::WEIGHT_ROW +
                                        lane / 8 % 2 * 4;

    // Where steps do not straddle pixels, the text of one pixel serves all three.
    const int STEPS = P::C % 8 == 0 ? P::C / 8 : P::ROW_K / 8;
#pragma unroll 1
    for (int first = 0; first < P::ROW_K / 8; first += STEPS) {
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
            const int low = offset_of<P>(2 * step);
            const int high = offset_of<P>(2 * step + 1);
            const float *at = pixel + upper * (high - low) + low;
            unsigned a[P::ROWS + 2][4];
#pragma unroll
            for (int row = 0; row < P::ROWS + 2; row++) {
                load_rows(a[row], at + row * (HALO_COLUMNS * P::PIXEL));
                if (!PRECISE) {
                    round_words(a[row]);
                }
            }
#pragma unroll
            for (int down = 0; down < 3; down++) {
                unsigned b[P::EIGHTS][2];
                const int k = down * P::ROW_K + 8 * step;
#pragma unroll
                for (int i = 0; i < P::EIGHTS; i++) {
                    if (P::BACK) {
                        const float *from = weight + k * P::WEIGHT_ROW + 8 * i;
                        b[i][0] = __float_as_uint(from[0]);
                        b[i][1] = __float_as_uint(from[4 * P::WEIGHT_ROW]);
                    } else if (i + 1 < P::EIGHTS && i % 2 == 0) {
                        unsigned both[4];
                        load_rows(both, weight + 8 * i * P::WEIGHT_ROW + k);
                        b[i][0] = both[0];
                        b[i][1] = both[1];
                        b[i + 1][0] = both[2];
                        b[i + 1][1] = both[3];
                    } else if (i % 2 == 0) {
                        // Lanes 16 to 31 are not asked; theirs would be behind the weights.
                        load_rows(b[i], weight + 8 * i * P::WEIGHT_ROW + k -
                                            upper * (8 * P::WEIGHT_ROW));
                    }
                }
#pragma unroll
                for (int i = 0; i < P::EIGHTS; i++) {
                    if (PRECISE) {
                        unsigned b_big[2], b_small[2];
                        split_words(b[i], b_big, b_small);
#pragma unroll
                        for (int row = 0; row < P::ROWS; row++) {
                            unsigned a_big[4], a_small[4];
                            split_words(a[row + down], a_big, a_small);
                            mma_tf32(sum[row][i], a_small, b_big);
                            mma_tf32(sum[row][i], a_big, b_small);
                            mma_tf32(sum[row][i], a_big, b_big);
                        }
                    } else {
                        round_words(b[i]);
#pragma unroll
                        for (int row = 0; row < P::ROWS; row++) {
                            mma_tf32(sum[row][i], a[row + down], b[i]);
                        }
                    }
                }
            }
        }
        pixel += P::PIXEL;
        weight += P::BACK ? P::C * P::WEIGHT_ROW : P::C;
    }
}

// For `convolve`: nothing is done when a tile is.
struct Nothing {
    static const int FOURS = 0;
    __device__ __forceinline__ void operator()(long long, const float *, int) const {}
};

// The convolution of CA channels of `a` and CB of `b`. Blocks take turns at tiles. `use(pixel,
// own, channel, x, y)` gets the values of two channels of a pixel; `own` is where the channels of
// the input are at that pixel, in shared memory.
//
// Where `finish` has FOURS, nothing of the input is left then, and there is room for N channels of
// the pixel instead. What `use` leaves there can be seen by `finish(pixel, own, four)`, which is
// called for each pixel and each `four` below FOURS.
template <class P, int CA, int CB, bool PRECISE, class Use, class Finish = Nothing>
__device__ __forceinline__ void convolve(const float *a, const float *b, const float *weights,
                                         int n, int h, int w, Use use, Finish finish = Nothing()) {
    static_assert(CA + CB == P::C, "channels of the input");
    static_assert(CA % 4 == 0 && CB % 4 == 0 && P::N % 4 == 0, "channels come in fours");
    DYNAMIC_SHARED(float, shared);
    float *const input = shared;
    float *const shared_weights = shared + P::INPUT;
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    const int first_row = warp / P::ACROSS * P::ROWS;
    const int first_channel = warp % P::ACROSS * (8 * P::EIGHTS);
    const float *own_input = input + first_row * (HALO_COLUMNS * P::PIXEL);
    const float *own_weights =
        shared_weights + first_channel * (P::BACK ? 1 : P::WEIGHT_ROW);
    const int FOURS = Finish::FOURS;
    const int LEFT = odd_fours(P::N); // from pixel to pixel of what is left for `finish`
    static_assert(FOURS == 0 || P::TILE_ROWS * COLUMNS * LEFT <= P::INPUT, "no room");

    next_kernel_may_start();
    load_weights<P>(shared_weights, weights);
    previous_kernel_done();
    const int tiles = n_tiles<P::TILE_ROWS>(n, h, w);
    for (int i = blockIdx.x; i < tiles; i += gridDim.x) {
        const Tile tile = tile_at<P::TILE_ROWS>(i, h, w);
        load_pixels<CA, P::TILE_ROWS, 1, P::PIXEL, P::THREADS>(input, a, tile, h, w);
        if constexpr (CB > 0) {
            load_pixels<CB, P::TILE_ROWS, 1, P::PIXEL, P::THREADS>(input + CA, b, tile, h, w);
        }
        copy_async_commit();
        copy_async_wait<0>();
        __syncthreads();

        float sum[P::ROWS][P::EIGHTS][4] = {};
        multiply<P, PRECISE>(sum, own_input, own_weights);
        if (FOURS > 0) {
            __syncthreads();
        }
#pragma unroll
        for (int row = 0; row < P::ROWS; row++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int y = first_row + row;
                const int x = lane / 4 + 8 * half;
                if (tile.row + y < h && tile.column + x < w) {
                    const long long pixel = tile.pixel + (y * w + x);
                    float *own = input + (FOURS > 0 ? (y * COLUMNS + x) * LEFT
                                                    : ((y + 1) * HALO_COLUMNS + x + 1) * P::PIXEL);
#pragma unroll
                    for (int j = 0; j < P::EIGHTS; j++) {
                        const int channel = first_channel + 8 * j + lane % 4 * 2;
                        if (channel < P::N) {
                            use(pixel, own, channel, sum[row][j][2 * half],
                                sum[row][j][2 * half + 1]);
                        }
                    }
                }
            }
        }
        __syncthreads();
        if constexpr (FOURS > 0) {
            for (int j = threadIdx.x; j < P::TILE_ROWS * COLUMNS * FOURS; j += P::THREADS) {
                const int y = j / FOURS / COLUMNS;
                const int x = j / FOURS % COLUMNS;
                if (tile.row + y < h && tile.column + x < w) {
                    finish(tile.pixel + (y * w + x), input + j / FOURS * LEFT, j % FOURS);
                }
            }
            __syncthreads();
        }
    }
    copy_async_wait<0>(); // of a block that had no tile
}

// F = leaky(conv(x) + bias)
template <int C, int W, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void forward_first(const float *x, const float *weight,
                                              const float *bias, float *f, int n, int h, int w) {
    using P = Plan<C, W, false, ROWS, DOWN, ACROSS>;
    convolve<P, C, 0, PRECISE>(
        x, x, weight, n, h, w,
        [=](long long pixel, float *, int channel, float s, float t) {
            const float2 more = load2(bias + channel);
            store2(f + pixel * W + channel, leaky(s + more.x), leaky(t + more.y));
        });
}

// S = F + leaky(conv(F) + bias)
template <int W, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void forward_middle(const float *f, const float *weight,
                                               const float *bias, float *s_out, int n, int h,
                                               int w) {
    using P = Plan<W, W, false, ROWS, DOWN, ACROSS>;
    convolve<P, W, 0, PRECISE>(
        f, f, weight, n, h, w,
        [=](long long pixel, float *own_input, int channel, float s, float t) {
            const float2 more = load2(bias + channel);
            const float2 own = load2(own_input + channel);
            store2(s_out + pixel * W + channel, own.x + leaky(s + more.x),
                   own.y + leaky(t + more.y));
        });
}

// y = conv([S, x]) + bias
template <int C, int W, int CO, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void forward_last(const float *s_in, const float *x,
                                             const float *weight, const float *bias, float *y,
                                             int n, int h, int w) {
    using P = Plan<W + C, CO, false, ROWS, DOWN, ACROSS>;
    convolve<P, W, C, PRECISE>(
        s_in, x, weight, n, h, w,
        [=](long long pixel, float *, int channel, float s, float t) {
            const float2 more = load2(bias + channel);
            store2(y + pixel * CO + channel, s + more.x, t + more.y);
        });
}

// y = other + sign (conv([S, x]) + bias)
template <int C, int W, int CO, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void forward_last_added(const float *s_in, const float *x,
                                                   const float *weight, const float *bias,
                                                   const float *other, float *y, int n, int h,
                                                   int w, int sign) {
    using P = Plan<W + C, CO, false, ROWS, DOWN, ACROSS>;
    const float factor = (float)sign;
    convolve<P, W, C, PRECISE>(
        s_in, x, weight, n, h, w,
        [=](long long pixel, float *, int channel, float s, float t) {
            const float2 more = load2(bias + channel);
            const float2 before = load2(other + pixel * CO + channel);
            store2(y + pixel * CO + channel, before.x + factor * (s + more.x),
                   before.y + factor * (t + more.y));
        });
}

// What `forward_last_coupled` does with four channels of U.
template <int HALF> struct Couple {
    static const int FOURS = HALF / 4;
    const float *z;
    float *y, *t;
    bool back;

    __device__ __forceinline__ float changed(float z, float t, float b) const {
        return back ? (z - b) * expf(-tanhf(t)) : z * expf(tanhf(t)) + b;
    }

    __device__ __forceinline__ void operator()(long long pixel, const float *u, int four) const {
        const long long at = pixel * HALF + 4 * four;
        const float4 before = *(const float4 *)(z + at);
        const float4 own_t = *(const float4 *)(u + 4 * four);
        const float4 own_b = *(const float4 *)(u + HALF + 4 * four);
        if (t) {
            *(float4 *)(t + at) = own_t;
        }
        *(float4 *)(y + at) = make_float4(
            changed(before.x, own_t.x, own_b.x), changed(before.y, own_t.y, own_b.y),
            changed(before.z, own_t.z, own_b.z), changed(before.w, own_t.w, own_b.w));
    }
};

// With U = [t, b]: y = z exp(tanh(t)) + b or, where sign is negative, (z - b) exp(-tanh(t)). Unless
// it is null, t is written, which the way back needs.
template <int C, int W, int CO, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void forward_last_coupled(const float *s_in, const float *x,
                                                     const float *weight, const float *bias,
                                                     const float *z, float *y, float *t_out, int n,
                                                     int h, int w, int sign) {
    static_assert(CO % 8 == 0, "four channels of t have four of b");
    using P = Plan<W + C, CO, false, ROWS, DOWN, ACROSS>;
    convolve<P, W, C, PRECISE>(
        s_in, x, weight, n, h, w,
        [=](long long, float *own, int channel, float s, float t) {
            const float2 more = load2(bias + channel);
            store2(own + channel, s + more.x, t + more.y);
        },
        Couple<CO / 2>{z, y, t_out, sign < 0});
}

// From dy, the gradient of `sign * U`: that of the middle convolution before its activation, and
// what reaches x straight from the last convolution.
//
// The middle activation's slope is 1 where S >= F. Where F + leaky(...) rounds to F though the
// activation is below zero, this is wrong; such values are too small to matter.
template <int C, int W, int CO, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void backward_last(const float *dy, const float *weight,
                                              const float *s_in, const float *f, float *d_middle,
                                              float *dx, int n, int h, int w, int sign) {
    using P = Plan<CO, W + C, true, ROWS, DOWN, ACROSS>;
    const float factor = (float)sign;
    convolve<P, CO, 0, PRECISE>(
        dy, dy, weight, n, h, w,
        [=](long long pixel, float *, int channel, float s, float t) {
            if (channel < W) {
                const float2 after = load2(s_in + pixel * W + channel);
                const float2 before = load2(f + pixel * W + channel);
                store2(d_middle + pixel * W + channel,
                       factor * (after.x >= before.x ? s : SLOPE * s),
                       factor * (after.y >= before.y ? t : SLOPE * t));
            } else {
                store2(dx + pixel * C + (channel - W), factor * s, factor * t);
            }
        });
}

// The gradient of the first convolution before its activation: from that of S, which reaches F
// past the middle convolution, and from that of the middle convolution. The former is the latter
// divided by the slope.
template <int W, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void backward_middle(const float *d_middle, const float *weight,
                                                const float *s_in, const float *f, float *d_first,
                                                int n, int h, int w) {
    using P = Plan<W, W, true, ROWS, DOWN, ACROSS>;
    convolve<P, W, 0, PRECISE>(
        d_middle, d_middle, weight, n, h, w,
        [=](long long pixel, float *own_input, int channel, float s, float t) {
            const float2 after = load2(s_in + pixel * W + channel);
            const float2 before = load2(f + pixel * W + channel);
            const float2 own = load2(own_input + channel);
            s += after.x >= before.x ? own.x : own.x * (1.0f / SLOPE);
            t += after.y >= before.y ? own.y : own.y * (1.0f / SLOPE);
            store2(d_first + pixel * W + channel, before.x >= 0.0f ? s : SLOPE * s,
                   before.y >= 0.0f ? t : SLOPE * t);
        });
}

// The gradient of x: what comes through the first convolution, what came straight from the last
// one, and, unless it is null, `other`.
template <int C, int W, bool PRECISE, int ROWS, int DOWN, int ACROSS>
__device__ __forceinline__ void backward_first(const float *d_first, const float *weight,
                                               const float *straight, const float *other,
                                               float *dx, int n, int h, int w) {
    using P = Plan<W, C, true, ROWS, DOWN, ACROSS>;
    convolve<P, W, 0, PRECISE>(
        d_first, d_first, weight, n, h, w,
        [=](long long pixel, float *, int channel, float s, float t) {
            const long long at = pixel * C + channel;
            const float2 more = load2(straight + at);
            s += more.x;
            t += more.y;
            if (other) {
                const float2 before = load2(other + at);
                s += before.x;
                t += before.y;
            }
            store2(dx + at, s, t);
        });
}

} // namespace residual

#endif // EMULATED || __CUDA_ARCH__ >= 800
