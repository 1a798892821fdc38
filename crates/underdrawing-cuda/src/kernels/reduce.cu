// Sums, and batch normalisation. A sum is taken in single precision over short runs and in double
// precision over those, in an order that depends on sizes alone.

// Terms that are summed in single precision.
#define RUN 64

// Sums down the columns of [rows, c]: f(index, channel, terms) gives the terms of a value. Each
// block has 256 threads and writes its sums to partial[block][channel][term].
//
// A thread has WIDTH columns beside one another: as many as it loads at a time.
template <int TERMS, int WIDTH, class F>
static __device__ __forceinline__ void sum_columns(long long rows, int c, double *partial, F f) {
    __shared__ double sums[256];
    int columns = c / WIDTH < 256 ? c / WIDTH : 256;
    int at_once = 256 / columns;
    int k = (blockIdx.y * 256 + threadIdx.x % columns) * WIDTH;
    long long share = (rows + gridDim.x - 1) / gridDim.x;
    long long end = (blockIdx.x + 1) * share < rows ? (blockIdx.x + 1) * share : rows;
    double total[WIDTH][TERMS] = {};
    if (threadIdx.x < columns * at_once && k < c) {
        float run[WIDTH][TERMS] = {};
        int n = 0;
        long long row = blockIdx.x * share + threadIdx.x / columns;
        // Four at a time, so that four loads are under way.
        for (; row + 3LL * at_once < end; row += 4LL * at_once) {
            float terms[4][WIDTH][TERMS];
#pragma unroll
            for (int i = 0; i < 4; i++)
                f((row + (long long)i * at_once) * c + k, k, terms[i]);
#pragma unroll
            for (int j = 0; j < WIDTH; j++) {
#pragma unroll
                for (int t = 0; t < TERMS; t++) {
                    run[j][t] +=
                        (terms[0][j][t] + terms[1][j][t]) + (terms[2][j][t] + terms[3][j][t]);
                }
            }
            if (++n == RUN / 4) {
                for (int j = 0; j < WIDTH; j++) {
                    for (int t = 0; t < TERMS; t++) {
                        total[j][t] += run[j][t];
                        run[j][t] = 0;
                    }
                }
                n = 0;
            }
        }
        for (; row < end; row += at_once) {
            float terms[WIDTH][TERMS];
            f(row * c + k, k, terms);
            for (int j = 0; j < WIDTH; j++) {
                for (int t = 0; t < TERMS; t++)
                    run[j][t] += terms[j][t];
            }
        }
        for (int j = 0; j < WIDTH; j++) {
            for (int t = 0; t < TERMS; t++)
                total[j][t] += run[j][t];
        }
    }
    for (int j = 0; j < WIDTH; j++) {
        for (int t = 0; t < TERMS; t++) {
            __syncthreads();
            sums[threadIdx.x] = total[j][t];
            __syncthreads();
            if (threadIdx.x < columns && k < c) {
                double sum = 0;
                for (int i = 0; i < at_once; i++)
                    sum += sums[i * columns + threadIdx.x];
                partial[((long long)blockIdx.x * c + k + j) * TERMS + t] = sum;
            }
        }
    }
}

// Four values beside one another, or one.
template <int WIDTH> struct Values {
    float v[WIDTH];
};

template <int WIDTH> __device__ __forceinline__ Values<WIDTH> load(const float *x, long long i);

template <> __device__ __forceinline__ Values<1> load<1>(const float *x, long long i) {
    return {{x[i]}};
}

template <> __device__ __forceinline__ Values<4> load<4>(const float *x, long long i) {
    float4 a = *(const float4 *)(x + i);
    return {{a.x, a.y, a.z, a.w}};
}

__device__ __forceinline__ void store(float *y, long long i, Values<1> a) {
    y[i] = a.v[0];
}

__device__ __forceinline__ void store(float *y, long long i, Values<4> a) {
    *(float4 *)(y + i) = make_float4(a.v[0], a.v[1], a.v[2], a.v[3]);
}

// Calls `f` with the width that suits c channels: a type whose WIDTH is four or one.
template <int WIDTH_> struct Width {
    static const int WIDTH = WIDTH_;
};

#define BY_WIDTH(c, f)                                                                             \
    if ((c) % 4 == 0)                                                                              \
        f(Width<4>());                                                                             \
    else                                                                                           \
        f(Width<1>())

// The sum of all lanes of a warp, in every lane.
__device__ __forceinline__ double warp_sum(double v) {
    for (int by = 16; by > 0; by /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, by);
    return v;
}

// The sum of partial[block][i], i < n: a warp for each.
__device__ __forceinline__ double sum_of_blocks(const double *partial, int blocks, int n, int i) {
    double sum = 0;
    for (int block = threadIdx.x; block < blocks; block += 32)
        sum += partial[(long long)block * n + i];
    return warp_sum(sum);
}

// One warp a column.
extern "C" __global__ void column_sums_end(const double *partial, int blocks, float *y) {
    double sum = sum_of_blocks(partial, blocks, gridDim.x, blockIdx.x);
    if (threadIdx.x == 0)
        y[blockIdx.x] = (float)sum;
}

extern "C" __global__ void bias_backward(const float *dy, double *partial, long long rows, int c) {
    auto run = [=](auto width) {
        const int W = decltype(width)::WIDTH;
        sum_columns<1, W>(rows, c, partial, [=](long long i, int, float (&terms)[W][1]) {
            auto d = load<W>(dy, i);
            for (int j = 0; j < W; j++)
                terms[j][0] = d.v[j];
        });
    };
    BY_WIDTH(c, run);
}

// The gradient before an activation, and its sums for a bias.
extern "C" __global__ void bias_activation_backward(const float *y, const float *dy, float *dx,
                                                    double *partial, long long rows, int c,
                                                    int kind, float slope) {
    auto run = [=](auto width) {
        const int W = decltype(width)::WIDTH;
        sum_columns<1, W>(rows, c, partial, [=](long long i, int, float (&terms)[W][1]) {
            auto d = load<W>(dy, i), of = load<W>(y, i);
            for (int j = 0; j < W; j++)
                terms[j][0] = d.v[j] *= activation_slope(of.v[j], kind, slope);
            store(dx, i, d);
        });
    };
    BY_WIDTH(c, run);
}

// Sums of what differs from each channel's first value, and of its squares.
extern "C" __global__ void batch_norm_moments(const float *x, double *partial, long long rows,
                                              int c) {
    auto run = [=](auto width) {
        const int W = decltype(width)::WIDTH;
        sum_columns<2, W>(rows, c, partial, [=](long long i, int k, float (&terms)[W][2]) {
            auto v = load<W>(x, i), first = load<W>(x, k);
            for (int j = 0; j < W; j++) {
                float d = v.v[j] - first.v[j];
                terms[j][0] = d;
                terms[j][1] = d * d;
            }
        });
    };
    BY_WIDTH(c, run);
}

// Statistics of c channels: [4, c] of mean, 1 / deviation, mean with the bias that x lacks,
// unbiased variance. One warp a channel.
extern "C" __global__ void batch_norm_moments_end(const float *x, const double *partial, int blocks,
                                                  long long rows, const float *bias, float epsilon,
                                                  float *statistics) {
    int c = gridDim.x, k = blockIdx.x;
    double mean = sum_of_blocks(partial, blocks, 2 * c, 2 * k) / rows;
    double square = sum_of_blocks(partial, blocks, 2 * c, 2 * k + 1) / rows;
    if (threadIdx.x == 0) {
        double variance = square - mean * mean;
        if (variance < 0)
            variance = 0;
        mean += x[k];
        statistics[k] = (float)mean;
        statistics[c + k] = (float)(1 / sqrt(variance + epsilon));
        statistics[2 * c + k] = (float)(mean + (bias ? bias[k] : 0));
        statistics[3 * c + k] = (float)(variance * (rows / (rows > 1 ? rows - 1.0 : 1.0)));
    }
}

// The same of running statistics; only the first two.
extern "C" __global__ void batch_norm_running(const float *mean, const float *variance,
                                              const float *bias, float epsilon, float *statistics,
                                              int c) {
    LOOP(k, c) {
        statistics[k] = mean[k] - (bias ? bias[k] : 0);
        statistics[c + k] = (float)(1 / sqrt((double)variance[k] + epsilon));
    }
}

// Running statistics follow those of a batch.
extern "C" __global__ void follow(float *running, const float *batch, int n, float momentum) {
    LOOP(i, n) running[i] = running[i] * (1 - momentum) + batch[i] * momentum;
}

// What normalises a channel.
struct Norm {
    float mean, scale, weight, bias;

    __device__ __forceinline__ float normalised(float x) const {
        return (x - mean) * scale;
    }

    __device__ __forceinline__ float output(float normalised) const {
        return normalised * weight + bias;
    }
};

__device__ __forceinline__ Norm norm_of(const float *statistics, const float *weight,
                                        const float *bias, int c, int k) {
    return {statistics[k], statistics[c + k], weight[k], bias[k]};
}

// f(index, channels) for all values of n, WIDTH at a time. Where the threads of a block are a
// multiple of a row's, a thread keeps to its channels; what `prepare(channels)` made of them is
// kept as well.
template <int WIDTH, class Prepare, class F>
__device__ __forceinline__ void each_row(long long n, int c, Prepare prepare, F f) {
    long long steps = n / WIDTH;
    int fours = c / WIDTH;
    if (blockDim.x % fours == 0) {
        auto known = prepare(threadIdx.x % fours * WIDTH);
        LOOP(i, steps) f(i * WIDTH, known);
    } else {
        LOOP(i, steps) f(i * WIDTH, prepare(channel_of(i, fours) * WIDTH));
    }
}

template <int WIDTH, class T> struct Several {
    T of[WIDTH];
};

// Nothing comes out below `least`.
extern "C" __global__ void batch_norm(const float *x, const float *statistics, const float *weight,
                                      const float *bias, float *y, long long n, int c,
                                      float least) {
    auto run = [=](auto width) {
        const int W = decltype(width)::WIDTH;
        auto prepare = [=](int k) {
            Several<W, Norm> norms;
            for (int j = 0; j < W; j++)
                norms.of[j] = norm_of(statistics, weight, bias, c, k + j);
            return norms;
        };
        each_row<W>(n, c, prepare, [=](long long i, const Several<W, Norm> &norms) {
            auto v = load<W>(x, i);
            for (int j = 0; j < W; j++) {
                float output = norms.of[j].output(norms.of[j].normalised(v.v[j]));
                v.v[j] = output < least ? least : output;
            }
            store(y, i, v);
        });
    };
    BY_WIDTH(c, run);
}

// Sums of gradients before the ReLU, and of their products with what was normalised.
extern "C" __global__ void batch_norm_backward_sums(const float *x, const float *statistics,
                                                    const float *weight, const float *bias,
                                                    const float *dy, double *partial,
                                                    long long rows, int c, float least) {
    auto run = [=](auto width) {
        const int W = decltype(width)::WIDTH;
        sum_columns<2, W>(rows, c, partial, [=](long long i, int k, float (&terms)[W][2]) {
            auto v = load<W>(x, i), d = load<W>(dy, i);
            for (int j = 0; j < W; j++) {
                Norm norm = norm_of(statistics, weight, bias, c, k + j);
                float normalised = norm.normalised(v.v[j]);
                terms[j][0] = norm.output(normalised) <= least ? 0 : d.v[j];
                terms[j][1] = terms[j][0] * normalised;
            }
        });
    };
    BY_WIDTH(c, run);
}

// Gradients of weight and bias; means [2, c] of the sums. One warp a channel.
extern "C" __global__ void batch_norm_backward_end(const double *partial, int blocks,
                                                   long long rows, float *d_weight, float *d_bias,
                                                   float *means) {
    int c = gridDim.x, k = blockIdx.x;
    double sum = sum_of_blocks(partial, blocks, 2 * c, 2 * k);
    double product = sum_of_blocks(partial, blocks, 2 * c, 2 * k + 1);
    if (threadIdx.x == 0) {
        d_bias[k] = (float)sum;
        d_weight[k] = (float)product;
        means[k] = (float)(sum / rows);
        means[c + k] = (float)(product / rows);
    }
}

// What brings a gradient back through a channel.
struct NormBack {
    Norm norm;
    float mean, product;
};

extern "C" __global__ void batch_norm_backward(const float *x, const float *statistics,
                                               const float *weight, const float *bias,
                                               const float *dy, const float *means, float *dx,
                                               long long n, int c, float least) {
    auto run = [=](auto width) {
        const int W = decltype(width)::WIDTH;
        auto prepare = [=](int k) {
            Several<W, NormBack> norms;
            for (int j = 0; j < W; j++) {
                norms.of[j] = {norm_of(statistics, weight, bias, c, k + j), means[k + j],
                               means[c + k + j]};
            }
            return norms;
        };
        each_row<W>(n, c, prepare, [=](long long i, const Several<W, NormBack> &norms) {
            auto v = load<W>(x, i), d = load<W>(dy, i);
            for (int j = 0; j < W; j++) {
                const NormBack &back = norms.of[j];
                float normalised = back.norm.normalised(v.v[j]);
                float gradient = back.norm.output(normalised) <= least ? 0 : d.v[j];
                d.v[j] = back.norm.weight * back.norm.scale *
                         (gradient - back.mean - normalised * back.product);
            }
            store(dx, i, d);
        });
    };
    BY_WIDTH(c, run);
}

// The sum of all threads of a block, in the first; at most 1024.
static __device__ __forceinline__ double block_sum(double v) {
    __shared__ double sums[32];
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        sums[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x / 32 == 0) {
        int warps = (blockDim.x + 31) / 32;
        v = warp_sum(threadIdx.x < warps ? sums[threadIdx.x] : 0);
    }
    return v;
}

// Sums of the values of each picture of [n, len], or (square) of their squares:
// partial[block][picture]. The grid is blocks by pictures.
extern "C" __global__ void picture_sums(const float *x, double *partial, long long len,
                                        int square) {
    const float *at = x + blockIdx.y * len;
    double total = 0;
    float run = 0;
    int n = 0;
    LOOP(i, len) {
        run += square ? at[i] * at[i] : at[i];
        if (++n == RUN) {
            total += run;
            run = 0;
            n = 0;
        }
    }
    total = block_sum(total + run);
    if (threadIdx.x == 0)
        partial[(long long)blockIdx.x * gridDim.y + blockIdx.y] = total;
}

// Means of len values; one warp a picture.
extern "C" __global__ void picture_sums_end(const double *partial, int blocks, float *y,
                                            long long len) {
    double sum = sum_of_blocks(partial, blocks, gridDim.x, blockIdx.x);
    if (threadIdx.x == 0)
        y[blockIdx.x] = (float)(sum / len);
}
