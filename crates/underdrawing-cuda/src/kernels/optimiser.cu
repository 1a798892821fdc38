// Steps of optimisers, all parameters in one launch.

// Values that a block takes.
#define SHARE 4096

// A parameter; the host writes these.
struct Moving {
    float *value;
    float *first;  // Adam's mean, Muon's sum
    float *second; // Adam's mean square; where Muon's sum would be a step later
    const float *gradient;
    long long len;
    long long start; // shares before this parameter
    float beta_1, beta_2, root, epsilon, rate, keep;
    int muon;
    int padding;
};

// The parameter whose share a block has.
__device__ __forceinline__ const Moving *moving_of(const Moving *all, int n) {
    int low = 0, high = n - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (all[middle].start <= blockIdx.x)
            low = middle;
        else
            high = middle - 1;
    }
    return all + low;
}

// The part of it.
#define SHARE_LOOP(i, moving)                                                                      \
    for (long long i = (blockIdx.x - (moving)->start) * SHARE + threadIdx.x,                       \
                   end = i - threadIdx.x + SHARE < (moving)->len ? i - threadIdx.x + SHARE         \
                                                                 : (moving)->len;                  \
         i < end; i += blockDim.x)

// Sums of squares of gradients, a sum for each share.
extern "C" __global__ void gradient_squares(const Moving *all, int n, double *partial) {
    const Moving *moving = moving_of(all, n);
    float sum = 0;
    SHARE_LOOP(i, moving) sum += moving->gradient[i] * moving->gradient[i];
    double total = block_sum(sum);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = total;
}

// What shortens the gradients to `longest`; one block.
extern "C" __global__ void gradient_scale(const double *partial, int n, float longest,
                                          float *scale) {
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        sum += partial[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        double length = sqrt(sum);
        double shorter = longest / (length > 1e-12 ? length : 1e-12);
        // What is no number stays none.
        *scale = shorter >= 1 ? 1.0f : (float)shorter;
    }
}

// Adam's steps, and the sums of Muon's.
extern "C" __global__ void move_parameters(const Moving *all, int n, const float *scale,
                                           float momentum) {
    const Moving *moving = moving_of(all, n);
    Moving m = *moving;
    float by = scale ? *scale : 1;
    SHARE_LOOP(i, moving) {
        float gradient = m.gradient[i] * by;
        if (m.muon) {
            float sum = m.first[i] * momentum + gradient;
            m.first[i] = sum;
            m.second[i] = sum * momentum + gradient;
        } else {
            float mean = m.first[i] * m.beta_1 + gradient * (1 - m.beta_1);
            float square = m.second[i] * m.beta_2 + gradient * gradient * (1 - m.beta_2);
            m.first[i] = mean;
            m.second[i] = square;
            m.value[i] = m.value[i] * m.keep - mean / (sqrtf(square) * m.root + m.epsilon) * m.rate;
        }
    }
}

// A matrix that Muon makes orthogonal; the host writes these.
struct Turning {
    float *value;
    const float *ahead;
    int rows, columns;
    float rate, keep;
};

// Roughly the nearest matrix whose singular values are all 1, by iterations of Newton and Schulz,
// and the step along it: a block for each matrix, which fits in shared memory. The matrix is kept
// by columns of its longer side, each as long as the shorter side rounded up to fours, and four
// more.
extern "C" __global__ void turn_small(const Turning *all, int iterations, float a, float b,
                                      float c) {
    DYNAMIC_SHARED(float, memory);
    __shared__ float norm;
    Turning m = all[blockIdx.x];
    bool wide = m.rows <= m.columns;
    int side = wide ? m.rows : m.columns;
    int length = wide ? m.columns : m.rows;
    int fours = (side + 3) / 4;
    int stride = 4 * fours + 4;
    float *x = memory;                      // [length][stride]
    float *next = x + length * stride;      // [length][stride]
    float *square = next + length * stride; // [side][stride]
    float *factor = square + 4 * fours * stride;
    float sum = 0;
    for (int i = threadIdx.x; i < length * 4 * fours; i += blockDim.x) {
        int k = i / (4 * fours), j = i % (4 * fours);
        float v = j < side ? m.ahead[wide ? j * length + k : k * side + j] : 0;
        x[k * stride + j] = v;
        sum += v * v;
    }
    double total = block_sum(sum);
    if (threadIdx.x == 0)
        norm = (float)sqrt(total) + 1e-12f;
    __syncthreads();
    for (int i = threadIdx.x; i < length * 4 * fours; i += blockDim.x) {
        x[i / (4 * fours) * stride + i % (4 * fours)] /= norm;
    }
    for (int iteration = 0; iteration < iterations; iteration++) {
        __syncthreads();
        // square = x x^T, four rows of a column at a time.
        for (int i = threadIdx.x; i < fours * 4 * fours; i += blockDim.x) {
            int row = 4 * (i / (4 * fours)), column = i % (4 * fours);
            float4 sums = make_float4(0, 0, 0, 0);
            for (int k = 0; k < length; k++) {
                float4 u = *(const float4 *)(x + k * stride + row);
                float v = x[k * stride + column];
                sums = make_float4(sums.x + u.x * v, sums.y + u.y * v, sums.z + u.z * v,
                                   sums.w + u.w * v);
            }
            *(float4 *)(square + column * stride + row) = sums;
        }
        __syncthreads();
        // factor = b square + c square square
        for (int i = threadIdx.x; i < fours * 4 * fours; i += blockDim.x) {
            int row = 4 * (i / (4 * fours)), column = i % (4 * fours);
            float4 sums = make_float4(0, 0, 0, 0);
            for (int k = 0; k < 4 * fours; k++) {
                float4 u = *(const float4 *)(square + k * stride + row);
                float v = square[column * stride + k];
                sums = make_float4(sums.x + u.x * v, sums.y + u.y * v, sums.z + u.z * v,
                                   sums.w + u.w * v);
            }
            float4 s = *(const float4 *)(square + column * stride + row);
            *(float4 *)(factor + column * stride + row) =
                make_float4(b * s.x + c * sums.x, b * s.y + c * sums.y, b * s.z + c * sums.z,
                            b * s.w + c * sums.w);
        }
        __syncthreads();
        // next = a x + factor x
        for (int i = threadIdx.x; i < length * fours; i += blockDim.x) {
            int k = i / fours, row = 4 * (i % fours);
            float4 sums = make_float4(0, 0, 0, 0);
            for (int j = 0; j < 4 * fours; j++) {
                float4 u = *(const float4 *)(factor + j * stride + row);
                float v = x[k * stride + j];
                sums = make_float4(sums.x + u.x * v, sums.y + u.y * v, sums.z + u.z * v,
                                   sums.w + u.w * v);
            }
            float4 s = *(const float4 *)(x + k * stride + row);
            *(float4 *)(next + k * stride + row) =
                make_float4(a * s.x + sums.x, a * s.y + sums.y, a * s.z + sums.z, a * s.w + sums.w);
        }
        float *swap = x;
        x = next;
        next = swap;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < length * side; i += blockDim.x) {
        int k = i / side, j = i % side;
        float *at = m.value + (wide ? j * length + k : k * side + j);
        *at = *at * m.keep - x[k * stride + j] * m.rate;
    }
}

// For larger matrices: y = alpha a b + beta d, all by rows, b transposed if it is said; 16x16
// threads as 256, a block for 16x16 values. a is [m, k], y and d are [m, n].
extern "C" __global__ void matrix_product(const float *a, const float *b, const float *d, float *y,
                                          int m, int n, int k, int transposed, float alpha,
                                          float beta) {
    __shared__ float left[16][17];
    __shared__ float right[16][17];
    int u = threadIdx.x / 16, v = threadIdx.x % 16;
    int row = blockIdx.y * 16 + u, column = blockIdx.x * 16 + v;
    float sum = 0;
    for (int first = 0; first < k; first += 16) {
        left[u][v] = row < m && first + v < k ? a[(long long)row * k + first + v] : 0;
        if (transposed) {
            int other = blockIdx.x * 16 + u;
            right[v][u] = other < n && first + v < k ? b[(long long)other * k + first + v] : 0;
        } else {
            right[u][v] = column < n && first + u < k ? b[(long long)(first + u) * n + column] : 0;
        }
        __syncthreads();
        for (int i = 0; i < 16; i++)
            sum += left[u][i] * right[i][v];
        __syncthreads();
    }
    if (row < m && column < n) {
        long long at = (long long)row * n + column;
        y[at] = alpha * sum + (d ? beta * d[at] : 0);
    }
}

extern "C" __global__ void transpose(const float *x, float *y, int rows, int columns) {
    LOOP(i, (long long)rows * columns) y[i % columns * rows + i / columns] = x[i];
}

// x over its length; `partial` is the sum of its squares.
extern "C" __global__ void divide_by_length(const float *x, const double *partial, int blocks,
                                            float *y, long long n) {
    double sum = 0;
    for (int i = 0; i < blocks; i++)
        sum += partial[i];
    float length = (float)sqrt(sum) + 1e-12f;
    map(x, y, n, [=](float v) { return v / length; });
}

// value = value keep - step rate
extern "C" __global__ void turn(float *value, const float *step, long long n, float rate,
                                float keep) {
    zip(value, step, value, n, [=](float value, float step) { return value * keep - step * rate; });
}
