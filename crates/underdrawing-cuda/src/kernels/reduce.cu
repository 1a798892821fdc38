// Sums, and batch normalisation. A sum is taken in single precision over short runs and in double
// precision over those, in an order that depends on sizes alone.

// Terms that are summed in single precision.
#define RUN 64

// Sums down the columns of [rows, c]: f(index, channel, terms) gives the terms of a value. Each
// block has 256 threads and writes its sums to partial[block][channel][term].
template <int TERMS, class F>
static __device__ __forceinline__ void column_sums(long long rows, int c, double* partial, F f) {
    __shared__ double sums[256];
    int columns = c < 256 ? c : 256;
    int at_once = 256 / columns;
    int k = blockIdx.y * 256 + threadIdx.x % columns;
    long long share = (rows + gridDim.x - 1) / gridDim.x;
    long long end = (blockIdx.x + 1) * share < rows ? (blockIdx.x + 1) * share : rows;
    double total[TERMS] = {};
    if (threadIdx.x < columns * at_once && k < c) {
        float run[TERMS] = {};
        int n = 0;
        long long row = blockIdx.x * share + threadIdx.x / columns;
        // Four at a time, so that four loads are under way.
        for (; row + 3LL * at_once < end; row += 4LL * at_once) {
            float terms[4][TERMS];
            for (int i = 0; i < 4; i++) f((row + (long long)i * at_once) * c + k, k, terms[i]);
            for (int t = 0; t < TERMS; t++) {
                run[t] += (terms[0][t] + terms[1][t]) + (terms[2][t] + terms[3][t]);
            }
            if (++n == RUN / 4) {
                for (int t = 0; t < TERMS; t++) {
                    total[t] += run[t];
                    run[t] = 0;
                }
                n = 0;
            }
        }
        for (; row < end; row += at_once) {
            float terms[TERMS];
            f(row * c + k, k, terms);
            for (int t = 0; t < TERMS; t++) run[t] += terms[t];
        }
        for (int t = 0; t < TERMS; t++) total[t] += run[t];
    }
    for (int t = 0; t < TERMS; t++) {
        __syncthreads();
        sums[threadIdx.x] = total[t];
        __syncthreads();
        if (threadIdx.x < columns && k < c) {
            double sum = 0;
            for (int i = 0; i < at_once; i++) sum += sums[i * columns + threadIdx.x];
            partial[((long long)blockIdx.x * c + k) * TERMS + t] = sum;
        }
    }
}

// The sum of all lanes of a warp, in every lane.
__device__ __forceinline__ double warp_sum(double v) {
    for (int by = 16; by > 0; by /= 2) v += __shfl_xor_sync(0xffffffffu, v, by);
    return v;
}

// The sum of partial[block][i], i < n: a warp for each.
__device__ __forceinline__ double sum_of_blocks(const double* partial, int blocks, int n, int i) {
    double sum = 0;
    for (int block = threadIdx.x; block < blocks; block += 32) sum += partial[(long long)block * n + i];
    return warp_sum(sum);
}

// One warp a column.
extern "C" __global__ void column_sums_end(const double* partial, int blocks, float* y) {
    double sum = sum_of_blocks(partial, blocks, gridDim.x, blockIdx.x);
    if (threadIdx.x == 0) y[blockIdx.x] = (float)sum;
}

extern "C" __global__ void bias_backward(const float* dy, double* partial, long long rows, int c) {
    column_sums<1>(rows, c, partial, [=](long long i, int, float (&terms)[1]) { terms[0] = dy[i]; });
}

// The gradient before an activation, and its sums for a bias.
extern "C" __global__ void bias_activation_backward(const float* y, const float* dy, float* dx, double* partial, long long rows, int c, int kind, float slope) {
    column_sums<1>(rows, c, partial, [=](long long i, int, float (&terms)[1]) {
        terms[0] = dy[i] * activation_slope(y[i], kind, slope);
        dx[i] = terms[0];
    });
}

// Sums of what differs from each channel's first value, and of its squares.
extern "C" __global__ void batch_norm_moments(const float* x, double* partial, long long rows, int c) {
    column_sums<2>(rows, c, partial, [=](long long i, int k, float (&terms)[2]) {
        float v = x[i] - x[k];
        terms[0] = v;
        terms[1] = v * v;
    });
}

// Statistics of c channels: [4, c] of mean, 1 / deviation, mean with the bias that x lacks, unbiased
// variance. One warp a channel.
extern "C" __global__ void batch_norm_moments_end(const float* x, const double* partial, int blocks, long long rows, const float* bias, float epsilon, float* statistics) {
    int c = gridDim.x, k = blockIdx.x;
    double mean = sum_of_blocks(partial, blocks, 2 * c, 2 * k) / rows;
    double square = sum_of_blocks(partial, blocks, 2 * c, 2 * k + 1) / rows;
    if (threadIdx.x == 0) {
        double variance = square - mean * mean;
        if (variance < 0) variance = 0;
        mean += x[k];
        statistics[k] = (float)mean;
        statistics[c + k] = (float)(1 / sqrt(variance + epsilon));
        statistics[2 * c + k] = (float)(mean + (bias ? bias[k] : 0));
        statistics[3 * c + k] = (float)(variance * (rows / (rows > 1 ? rows - 1.0 : 1.0)));
    }
}

// The same of running statistics; only the first two.
extern "C" __global__ void batch_norm_running(const float* mean, const float* variance, const float* bias, float epsilon, float* statistics, int c) {
    LOOP(k, c) {
        statistics[k] = mean[k] - (bias ? bias[k] : 0);
        statistics[c + k] = (float)(1 / sqrt((double)variance[k] + epsilon));
    }
}

// Running statistics follow those of a batch.
extern "C" __global__ void follow(float* running, const float* batch, int n, float momentum) {
    LOOP(i, n) running[i] = running[i] * (1 - momentum) + batch[i] * momentum;
}

__device__ __forceinline__ float normalised(float x, const float* statistics, int c, int k) {
    return (x - statistics[k]) * statistics[c + k];
}

// Nothing comes out below `least`.
extern "C" __global__ void batch_norm(const float* x, const float* statistics, const float* weight, const float* bias, float* y, long long n, int c, float least) {
    map_channels(x, y, n, c, [=](float v, int k) {
        float output = normalised(v, statistics, c, k) * weight[k] + bias[k];
        return output < least ? least : output;
    });
}

// Sums of gradients before the ReLU, and of their products with what was normalised.
extern "C" __global__ void batch_norm_backward_sums(const float* x, const float* statistics, const float* weight, const float* bias, const float* dy, double* partial, long long rows, int c, float least) {
    column_sums<2>(rows, c, partial, [=](long long i, int k, float (&terms)[2]) {
        float v = normalised(x[i], statistics, c, k);
        terms[0] = v * weight[k] + bias[k] <= least ? 0 : dy[i];
        terms[1] = terms[0] * v;
    });
}

// Gradients of weight and bias; means [2, c] of the sums. One warp a channel.
extern "C" __global__ void batch_norm_backward_end(const double* partial, int blocks, long long rows, float* d_weight, float* d_bias, float* means) {
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

extern "C" __global__ void batch_norm_backward(const float* x, const float* statistics, const float* weight, const float* bias, const float* dy, const float* means, float* dx, long long n, int c, float least) {
    const float4* x4 = (const float4*)x;
    const float4* dy4 = (const float4*)dy;
    auto back = [=](float x, float dy, int k) {
        float v = normalised(x, statistics, c, k);
        float gradient = v * weight[k] + bias[k] <= least ? 0 : dy;
        return weight[k] * statistics[c + k] * (gradient - means[k] - v * means[c + k]);
    };
    if (c % 4 == 0) {
        LOOP(i, n / 4) {
            int k = channel_of(4 * i, c);
            float4 a = x4[i], b = dy4[i];
            ((float4*)dx)[i] = make_float4(back(a.x, b.x, k), back(a.y, b.y, k + 1), back(a.z, b.z, k + 2), back(a.w, b.w, k + 3));
        }
    } else {
        LOOP(i, n) dx[i] = back(x[i], dy[i], channel_of(i, c));
    }
}

// The sum of all threads of a block, in the first; at most 1024.
static __device__ __forceinline__ double block_sum(double v) {
    __shared__ double sums[32];
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x / 32 == 0) {
        int warps = (blockDim.x + 31) / 32;
        v = warp_sum(threadIdx.x < warps ? sums[threadIdx.x] : 0);
    }
    return v;
}

// Sums of the values of each picture of [n, len], or (square) of their squares:
// partial[block][picture]. The grid is blocks by pictures.
extern "C" __global__ void picture_sums(const float* x, double* partial, long long len, int square) {
    const float* at = x + blockIdx.y * len;
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
    if (threadIdx.x == 0) partial[(long long)blockIdx.x * gridDim.y + blockIdx.y] = total;
}

// Means of len values; one warp a picture.
extern "C" __global__ void picture_sums_end(const double* partial, int blocks, float* y, long long len) {
    double sum = sum_of_blocks(partial, blocks, gridDim.x, blockIdx.x);
    if (threadIdx.x == 0) y[blockIdx.x] = (float)(sum / len);
}
