// Residual networks: what their weights learn. See `residual.cu`, which comes before this.

#if defined(EMULATED) || __CUDA_ARCH__ >= 800

namespace residual {

// What the weights `[N, 3, 3, CA + CB]` of one convolution learn, as a product of matrices: rows
// are the N channels that come out, columns what a row of weights is for, `k = 3 pixels, C
// channels`; the sum is over pixels, eight beside one another a step. A warp has a share of the
// columns for all three rows of weights. What shares of the columns leave of the warps share the
// pixels of a tile, and add up what they have at the end.
//
// BUFFERS is 2 where the next tile is to be copied while one is worked on.
template <int CA_, int CB_, int N_, int WARPS, int BUFFERS_> struct Gradient {
    static const int CA = CA_, CB = CB_, C = CA + CB, N = N_, BUFFERS = BUFFERS_;
    static const int THREADS = 32 * WARPS;
    static const int TILE_ROWS = 8;
    static const int K = 3 * C;
    static const int SIXTEENS = (N + 15) / 16;
    // Sums that a thread has when `shares` warps share the columns.
    __device__ static constexpr int sums(int shares) {
        return SIXTEENS * 3 * ((K + 8 * shares - 1) / (8 * shares)) * 4;
    }
    // Which of a warp's products is of that row of weights, eight of k and sixteen of channels.
    __device__ static constexpr int product(int down, int eight, int sixteen) {
        return (down * EIGHTS + eight) * SIXTEENS + sixteen;
    }
    // Warps that share the pixels of a tile: as many as leave a thread at most 72 sums.
    static const int SPLITS = WARPS % 4 == 0 && sums(WARPS / 4) <= 72   ? 4
                              : WARPS % 2 == 0 && sums(WARPS / 2) <= 72 ? 2
                                                                        : 1;
    static const int SHARES = WARPS / SPLITS;
    static const int EIGHTS = (K + 8 * SHARES - 1) / (8 * SHARES);
    static const int PRODUCTS = 3 * EIGHTS * SIXTEENS; // of 16x8, of a warp
    static const int SUMS = 4 * PRODUCTS + 2 * SIXTEENS; // of a thread, with those of biases
    // Rows of pixels of a warp, and columns of eight.
    static const int ROWS = SPLITS == 4 ? TILE_ROWS / 2 : TILE_ROWS;
    static const int HALVES = SPLITS == 1 ? 2 : 1;
    // In shared memory: floats from pixel to pixel, of the input and of the gradient.
    static const int X_PIXEL = odd_eights(C);
    static const int Y_PIXEL = odd_eights(16 * SIXTEENS);
    static const int X_TILE = (TILE_ROWS + 2) * HALO_COLUMNS * X_PIXEL;
    static const int Y_TILE = TILE_ROWS * COLUMNS * Y_PIXEL;
    static const int EXCHANGE = SPLITS / 2 * SHARES * 32 * SUMS;
    static const int TILES = BUFFERS * (X_TILE + Y_TILE);
    static const int SHARED_BYTES = 4 * (TILES > EXCHANGE ? TILES : EXCHANGE);
    // Floats that a block leaves: the gradients of weights, then of biases.
    static const int PARTIAL = 9 * C * N + N;
};

// What one tile brings, of whose input, with its border, and gradient `x` and `y` are where they
// begin.
template <class G, bool PRECISE>
__device__ __forceinline__ void add_tile(float (&sum)[G::PRODUCTS][4],
                                         float (&bias)[G::SIXTEENS][2], const float *x,
                                         const float *y) {
    const int thread = computed_anew(threadIdx.x);
    const int lane = thread % 32;
    const int share = thread / 32 % G::SHARES;
    const int split = thread / 32 / G::SHARES;
    const int first_row = split / 2 * G::ROWS;
    const int first_column = lane % 4 + (G::SPLITS == 1 ? 0 : split % 2 * 8);
    x += (first_row * HALO_COLUMNS + first_column) * G::X_PIXEL;
    y += (first_row * COLUMNS + first_column) * G::Y_PIXEL + lane / 4;
    // From a pixel to what this lane's column of the product is for.
    int offsets[G::EIGHTS];
#pragma unroll
    for (int i = 0; i < G::EIGHTS; i++) {
        const int k = (share * G::EIGHTS + i) * 8 + lane / 4;
        offsets[i] = k < G::K ? k / G::C * G::X_PIXEL + k % G::C : 0;
    }
#pragma unroll 1
    for (int half = 0; half < G::HALVES; half++) {
        const float *const own_x = x + 8 * half * G::X_PIXEL;
        const float *const own_y = y + 8 * half * G::Y_PIXEL;
        // Of the newest three rows.
        unsigned a[3][G::SIXTEENS][4];
#pragma unroll
        for (int row = 0; row < G::ROWS + 2; row++) {
            if (row < G::ROWS) {
#pragma unroll
                for (int m = 0; m < G::SIXTEENS; m++) {
                    const float *from = own_y + row * (COLUMNS * G::Y_PIXEL) + 16 * m;
                    const float pixel = from[0], below = from[8];
                    const float right = from[4 * G::Y_PIXEL], both = from[4 * G::Y_PIXEL + 8];
                    bias[m][0] += pixel + right;
                    bias[m][1] += below + both;
                    a[row % 3][m][0] = __float_as_uint(pixel);
                    a[row % 3][m][1] = __float_as_uint(below);
                    a[row % 3][m][2] = __float_as_uint(right);
                    a[row % 3][m][3] = __float_as_uint(both);
                    if (!PRECISE) {
                        round_words(a[row % 3][m]);
                    }
                }
            }
#pragma unroll
            for (int i = 0; i < G::EIGHTS; i++) {
                const float *from = own_x + offsets[i] + row * (HALO_COLUMNS * G::X_PIXEL);
                unsigned b[2] = {__float_as_uint(from[0]), __float_as_uint(from[4 * G::X_PIXEL])};
                unsigned b_big[2], b_small[2];
                if (PRECISE) {
                    split_words(b, b_big, b_small);
                } else {
                    round_words(b);
                }
#pragma unroll
                for (int down = 0; down < 3; down++) {
                    if (row - down >= 0 && row - down < G::ROWS) {
#pragma unroll
                        for (int m = 0; m < G::SIXTEENS; m++) {
                            const unsigned(&own)[4] = a[(row - down + 3) % 3][m];
                            float(&to)[4] = sum[G::product(down, i, m)];
                            if (PRECISE) {
                                unsigned a_big[4], a_small[4];
                                split_words(own, a_big, a_small);
                                mma_tf32(to, a_small, b_big);
                                mma_tf32(to, a_big, b_small);
                                mma_tf32(to, a_big, b_big);
                            } else {
                                mma_tf32(to, own, b);
                            }
                        }
                    }
                }
            }
        }
    }
}

// What the tiles `part`, `part + parts` and so on bring, written to `partial`.
template <class G, bool PRECISE>
__device__ __forceinline__ void learn(const float *x_a, const float *x_b, const float *dy,
                                      float *partial, int part, int parts, int n, int h, int w) {
    DYNAMIC_SHARED(float, shared);
    const int lane = threadIdx.x % 32;
    const int share = threadIdx.x / 32 % G::SHARES;
    const int split = threadIdx.x / 32 / G::SHARES;
    float sum[G::PRODUCTS][4] = {};
    float bias[G::SIXTEENS][2] = {};

    const auto load = [&](int i, int buffer) {
        const Tile tile = tile_at<G::TILE_ROWS>(i, h, w);
        float *const x = shared + buffer * (G::X_TILE + G::Y_TILE);
        load_pixels<G::CA, G::TILE_ROWS, 1, G::X_PIXEL, G::THREADS>(x, x_a, tile, h, w);
        if constexpr (G::CB > 0) {
            load_pixels<G::CB, G::TILE_ROWS, 1, G::X_PIXEL, G::THREADS>(x + G::CA, x_b, tile, h,
                                                                        w);
        }
        load_pixels<G::N, G::TILE_ROWS, 0, G::Y_PIXEL, G::THREADS>(x + G::X_TILE, dy, tile, h, w);
        copy_async_commit();
    };
    const int tiles = n_tiles<G::TILE_ROWS>(n, h, w);
    int buffer = 0;
    if (G::BUFFERS == 2 && part < tiles) {
        load(part, 0);
    }
    for (int i = part; i < tiles; i += parts) {
        if (G::BUFFERS == 1) {
            load(i, 0);
            copy_async_wait<0>();
        } else if (i + parts < tiles) {
            load(i + parts, 1 - buffer);
            copy_async_wait<1>();
        } else {
            copy_async_wait<0>();
        }
        __syncthreads();
        const float *x = shared + buffer * (G::X_TILE + G::Y_TILE);
        add_tile<G, PRECISE>(sum, bias, x, x + G::X_TILE);
        __syncthreads();
        buffer = G::BUFFERS == 2 ? 1 - buffer : 0;
    }

    // The upper half of the splits hand over, then of what is left.
#pragma unroll
    for (int step = G::SPLITS / 2; step > 0; step /= 2) {
        float *const slot = shared + (split % step * G::SHARES + share) * (32 * G::SUMS) + lane;
        if (split >= step && split < 2 * step) {
#pragma unroll
            for (int i = 0; i < 4 * G::PRODUCTS; i++) {
                slot[32 * i] = sum[i / 4][i % 4];
            }
#pragma unroll
            for (int i = 0; i < 2 * G::SIXTEENS; i++) {
                slot[32 * (4 * G::PRODUCTS + i)] = bias[i / 2][i % 2];
            }
        }
        __syncthreads();
        if (split < step) {
#pragma unroll
            for (int i = 0; i < 4 * G::PRODUCTS; i++) {
                sum[i / 4][i % 4] += slot[32 * i];
            }
#pragma unroll
            for (int i = 0; i < 2 * G::SIXTEENS; i++) {
                bias[i / 2][i % 2] += slot[32 * (4 * G::PRODUCTS + i)];
            }
        }
        __syncthreads();
    }
    if (split > 0) {
        return;
    }
#pragma unroll
    for (int i = 0; i < G::EIGHTS; i++) {
        const int k = (share * G::EIGHTS + i) * 8 + lane % 4 * 2;
#pragma unroll
        for (int m = 0; m < G::SIXTEENS; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int channel = 16 * m + 8 * half + lane / 4;
                if (k < G::K && channel < G::N) {
#pragma unroll
                    for (int down = 0; down < 3; down++) {
                        const float(&from)[4] = sum[G::product(down, i, m)];
                        store2(partial + (channel * 3 + down) * G::K + k, from[2 * half],
                               from[2 * half + 1]);
                    }
                }
            }
        }
    }
    if (share == 0) {
#pragma unroll
        for (int m = 0; m < G::SIXTEENS; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float total = bias[m][half];
                total += __shfl_xor_sync(0xffffffffu, total, 1);
                total += __shfl_xor_sync(0xffffffffu, total, 2);
                const int channel = 16 * m + 8 * half + lane / 4;
                if (lane % 4 == 0 && channel < G::N) {
                    partial[9 * G::C * G::N + channel] = total;
                }
            }
        }
    }
}

// What a residual network's weights learn: `blocks_first` blocks for the first convolution, and so
// on, each of which leaves what its share of the tiles brings.
template <int C, int W, int CO, bool PRECISE, int WARPS, int BUFFERS>
__device__ __forceinline__ void weight_gradients(const float *x, const float *f, const float *s_in,
                                                 const float *d_first, const float *d_middle,
                                                 const float *dy, float *partials, int n, int h,
                                                 int w, int blocks_first, int blocks_middle,
                                                 int blocks_last) {
    next_kernel_may_start();
    previous_kernel_done();
    using First = Gradient<C, 0, W, WARPS, BUFFERS>;
    using Middle = Gradient<W, 0, W, WARPS, BUFFERS>;
    using Last = Gradient<W, C, CO, WARPS, BUFFERS>;
    // Those with the most to do come first.
    int block = blockIdx.x;
    if (block < blocks_last) {
        learn<Last, PRECISE>(s_in, x, dy, partials + block * Last::PARTIAL, block, blocks_last, n,
                             h, w);
        return;
    }
    block -= blocks_last;
    partials += blocks_last * Last::PARTIAL;
    if (block < blocks_middle) {
        learn<Middle, PRECISE>(f, f, d_middle, partials + block * Middle::PARTIAL, block,
                               blocks_middle, n, h, w);
        return;
    }
    block -= blocks_middle;
    partials += blocks_middle * Middle::PARTIAL;
    if (block < blocks_first) {
        learn<First, PRECISE>(x, x, d_first, partials + block * First::PARTIAL, block,
                              blocks_first, n, h, w);
    }
}

// The sums of what the blocks of `weight_gradients` left, always in the same order; added to what
// is there if `added`. 32 fours of floats a block, each summed by 8 threads.
template <int C, int W, int CO>
__device__ __forceinline__ void
reduce_partials(const float *partials, float *weight_first, float *bias_first,
                float *weight_middle, float *bias_middle, float *weight_last, float *bias_last,
                int blocks_first, int blocks_middle, int blocks_last, int sign, int added) {
    next_kernel_may_start();
    previous_kernel_done();
    const int LAST = 9 * (W + C) * CO, MIDDLE = 9 * W * W, FIRST = 9 * C * W;
    DYNAMIC_SHARED(float4, parts);
    const int column = threadIdx.x % 32;
    const int slice = threadIdx.x / 32;
    int i = (blockIdx.x * 32 + column) * 4;
    float *to = nullptr;
    const float *from = partials;
    int blocks = 0, partial = 0;
    float factor = 1.0f;
    if (i < LAST + CO) {
        from += i;
        to = i < LAST ? weight_last + i : bias_last + (i - LAST);
        blocks = blocks_last;
        partial = LAST + CO;
        factor = (float)sign;
    } else if ((i -= LAST + CO) < MIDDLE + W) {
        from += blocks_last * (LAST + CO) + i;
        to = i < MIDDLE ? weight_middle + i : bias_middle + (i - MIDDLE);
        blocks = blocks_middle;
        partial = MIDDLE + W;
    } else if ((i -= MIDDLE + W) < FIRST + W) {
        from += blocks_last * (LAST + CO) + blocks_middle * (MIDDLE + W) + i;
        to = i < FIRST ? weight_first + i : bias_first + (i - FIRST);
        blocks = blocks_first;
        partial = FIRST + W;
    }
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
#pragma unroll 8
    for (int block = slice; block < blocks; block += 8) {
        const float4 more = *(const float4 *)(from + block * partial);
        sum.x += more.x;
        sum.y += more.y;
        sum.z += more.z;
        sum.w += more.w;
    }
    parts[slice * 32 + column] = sum;
    __syncthreads();
    if (slice > 0 || !to) {
        return;
    }
    for (int other = 1; other < 8; other++) {
        const float4 more = parts[other * 32 + column];
        sum.x += more.x;
        sum.y += more.y;
        sum.z += more.z;
        sum.w += more.w;
    }
    float4 before = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (added) {
        before = *(const float4 *)to;
    }
    *(float4 *)to = make_float4(before.x + factor * sum.x, before.y + factor * sum.y,
                                before.z + factor * sum.z, before.w + factor * sum.w);
}

} // namespace residual

#endif // EMULATED || __CUDA_ARCH__ >= 800
