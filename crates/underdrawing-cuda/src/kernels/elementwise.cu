// Value by value: tensors are [n, h, w, c], channels last, and start at multiples of 16 bytes.

typedef unsigned long long u64;

#define LOOP(i, n)                                                                                 \
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < (n);                  \
         i += (long long)gridDim.x * blockDim.x)

// f of each value, four at a time.
template <class F> __device__ __forceinline__ void map(const float *x, float *y, long long n, F f) {
    const float4 *x4 = (const float4 *)x;
    float4 *y4 = (float4 *)y;
    long long fours = n / 4;
    LOOP(i, fours) {
        float4 a = x4[i];
        y4[i] = make_float4(f(a.x), f(a.y), f(a.z), f(a.w));
    }
    LOOP(i, n - 4 * fours) y[4 * fours + i] = f(x[4 * fours + i]);
}

// f of each value and the one beside it.
template <class F>
__device__ __forceinline__ void zip(const float *a, const float *b, float *y, long long n, F f) {
    const float4 *a4 = (const float4 *)a;
    const float4 *b4 = (const float4 *)b;
    float4 *y4 = (float4 *)y;
    long long fours = n / 4;
    LOOP(i, fours) {
        float4 u = a4[i], v = b4[i];
        y4[i] = make_float4(f(u.x, v.x), f(u.y, v.y), f(u.z, v.z), f(u.w, v.w));
    }
    LOOP(i, n - 4 * fours) y[4 * fours + i] = f(a[4 * fours + i], b[4 * fours + i]);
}

// The remainder by c, with less work where numbers are small.
__device__ __forceinline__ int channel_of(long long i, int c) {
    return i >> 32 ? (int)(i % c) : (int)((unsigned)i % (unsigned)c);
}

__device__ __forceinline__ long long quotient(long long i, int c) {
    return i >> 32 ? i / c : (long long)((unsigned)i / (unsigned)c);
}

// f of each value and its channel.
template <class F>
__device__ __forceinline__ void map_channels(const float *x, float *y, long long n, int c, F f) {
    const float4 *x4 = (const float4 *)x;
    float4 *y4 = (float4 *)y;
    if (c % 4 == 0) {
        LOOP(i, n / 4) {
            int k = channel_of(4 * i, c);
            float4 a = x4[i];
            y4[i] = make_float4(f(a.x, k), f(a.y, k + 1), f(a.z, k + 2), f(a.w, k + 3));
        }
    } else {
        LOOP(i, n) y[i] = f(x[i], channel_of(i, c));
    }
}

// Activations: 0 none, 1 (leaky) ReLU, 2 sigmoid, 3 hyperbolic tangent.
__device__ __forceinline__ float activate(float v, int kind, float slope) {
    switch (kind) {
    case 1:
        return v > 0 ? v : v * slope;
    case 2:
        return 1 / (1 + expf(-v));
    case 3:
        return tanhf(v);
    default:
        return v;
    }
}

// The derivative, from what came out.
__device__ __forceinline__ float activation_slope(float y, int kind, float slope) {
    switch (kind) {
    case 1:
        return y > 0 ? 1 : slope;
    case 2:
        return y * (1 - y);
    case 3:
        return 1 - y * y;
    default:
        return 1;
    }
}

extern "C" __global__ void bias_activation(const float *x, const float *bias, float *y, long long n,
                                           int c, int kind, float slope) {
    if (bias) {
        map_channels(x, y, n, c,
                     [=](float v, int k) { return activate(v + bias[k], kind, slope); });
    } else {
        map(x, y, n, [=](float v) { return activate(v, kind, slope); });
    }
}

extern "C" __global__ void activation_backward(const float *y, const float *dy, float *dx,
                                               long long n, int kind, float slope) {
    zip(y, dy, dx, n, [=](float y, float dy) { return dy * activation_slope(y, kind, slope); });
}

// a + factor b
extern "C" __global__ void add(const float *a, const float *b, float *y, long long n,
                               float factor) {
    zip(a, b, y, n, [=](float a, float b) { return a + factor * b; });
}

extern "C" __global__ void multiply(const float *a, const float *b, float *y, long long n) {
    zip(a, b, y, n, [=](float a, float b) { return a * b; });
}

extern "C" __global__ void times(const float *x, float *y, long long n, float factor) {
    map(x, y, n, [=](float v) { return v * factor; });
}

extern "C" __global__ void logarithm(const float *x, float *y, long long n) {
    map(x, y, n, [=](float v) { return logf(v); });
}

extern "C" __global__ void logarithm_backward(const float *x, const float *dy, float *dx,
                                              long long n) {
    zip(x, dy, dx, n, [=](float x, float dy) { return dy / x; });
}

extern "C" __global__ void clamp(const float *x, float *y, long long n, float low, float high) {
    map(x, y, n, [=](float v) { return v < low ? low : v > high ? high : v; });
}

extern "C" __global__ void clamp_backward(const float *x, const float *dy, float *dx, long long n,
                                          float low, float high) {
    zip(x, dy, dx, n, [=](float x, float dy) { return x >= low && x <= high ? dy : 0; });
}

// Each channel times a number, and another one added, if there is one.
extern "C" __global__ void affine(const float *x, const float *scale, const float *shift, float *y,
                                  long long n, int c) {
    map_channels(x, y, n, c, [=](float v, int k) { return v * scale[k] + (shift ? shift[k] : 0); });
}

// Every value of a picture is factor times the picture's gradient, and times x if there is one.
extern "C" __global__ void spread(const float *x, const float *dy, float *dx, long long n,
                                  long long len, float factor) {
    LOOP(i, n) dx[i] = factor * dy[i / len] * (x ? x[i] : 1);
}

// Planes to channels last: x is [n, c, plane].
extern "C" __global__ void to_channels_last(const float *x, float *y, long long pixels,
                                            long long plane, int c) {
    LOOP(i, pixels) {
        long long picture = i / plane, pixel = i % plane;
        for (int k = 0; k < c; k++)
            y[i * c + k] = x[(picture * c + k) * plane + pixel];
    }
}

extern "C" __global__ void to_planes(const float *x, float *y, long long pixels, long long plane,
                                     int c) {
    LOOP(i, pixels) {
        long long picture = i / plane, pixel = i % plane;
        for (int k = 0; k < c; k++)
            y[(picture * c + k) * plane + pixel] = x[i * c + k];
    }
}

// Channels first..first + count of x to channels to_first.. of y.
extern "C" __global__ void copy_channels(const float *x, int c, int first, float *y, int to_c,
                                         int to_first, int count, long long pixels) {
    if (c % 4 == 0 && first % 4 == 0 && to_c % 4 == 0 && to_first % 4 == 0 && count % 4 == 0) {
        int fours = count / 4;
        LOOP(i, pixels * fours) {
            long long pixel = quotient(i, fours);
            int k = (int)(i - pixel * fours);
            ((float4 *)y)[pixel * (to_c / 4) + to_first / 4 + k] =
                ((const float4 *)x)[pixel * (c / 4) + first / 4 + k];
        }
    } else {
        LOOP(i, pixels * count) {
            long long pixel = quotient(i, count);
            int k = (int)(i - pixel * count);
            y[pixel * to_c + to_first + k] = x[pixel * c + first + k];
        }
    }
}

// Rows and columns of zeros at the end: x [n, h, w, c] to y [n, to_h, to_w, c]; or cut off, where y
// is smaller.
extern "C" __global__ void resize(const float *x, float *y, int n, int h, int w, int to_h, int to_w,
                                  int c) {
    LOOP(i, (long long)n * to_h * to_w * c) {
        int k = channel_of(i, c);
        long long pixel = quotient(i, c);
        int column = channel_of(pixel, to_w);
        long long line = quotient(pixel, to_w);
        int row = channel_of(line, to_h);
        long long picture = quotient(line, to_h);
        bool inside = row < h && column < w;
        y[i] = inside ? x[((picture * h + row) * w + column) * c + k] : 0;
    }
}

// Half of the 4x4 Hadamard matrix times four numbers; its own inverse.
__device__ __forceinline__ void hadamard(float (&v)[4]) {
    float top_sum = v[0] + v[1], top_difference = v[0] - v[1];
    float bottom_sum = v[2] + v[3], bottom_difference = v[2] - v[3];
    v[0] = 0.5f * (top_sum + bottom_sum);
    v[1] = 0.5f * (top_difference + bottom_difference);
    v[2] = 0.5f * (top_sum - bottom_sum);
    v[3] = 0.5f * (top_difference - bottom_difference);
}

// Blocks of 2x2 pixels of x [n, 2h, 2w, c] to bands of y [n, h, w, 4c], of what differs from zero;
// their corners, or (transform) those of Haar's transform.
extern "C" __global__ void split(const float *x, float *y, long long blocks, int w, int c,
                                 int transform, float zero) {
    LOOP(i, blocks * c) {
        int k = channel_of(i, c);
        long long block = quotient(i, c);
        long long line = quotient(block, w);
        int column = (int)(block - line * w);
        const float *at = x + ((2 * line * 2 * w) + 2 * column) * c + k;
        long long row = 2LL * w * c;
        float v[4] = {at[0] - zero, at[c] - zero, at[row] - zero, at[row + c] - zero};
        if (transform)
            hadamard(v);
        for (int band = 0; band < 4; band++)
            y[(block * 4 + band) * c + k] = v[band];
    }
}

// Undoes split: x is [n, h, w, 4c], y [n, 2h, 2w, c].
extern "C" __global__ void join(const float *x, float *y, long long blocks, int w, int c,
                                int transform, float zero) {
    LOOP(i, blocks * c) {
        int k = channel_of(i, c);
        long long block = quotient(i, c);
        long long line = quotient(block, w);
        int column = (int)(block - line * w);
        float v[4];
        for (int band = 0; band < 4; band++)
            v[band] = x[(block * 4 + band) * c + k];
        if (transform)
            hadamard(v);
        float *at = y + ((2 * line * 2 * w) + 2 * column) * c + k;
        long long row = 2LL * w * c;
        at[0] = v[0] + zero;
        at[c] = v[1] + zero;
        at[row] = v[2] + zero;
        at[row + c] = v[3] + zero;
    }
}

// x exp(tanh(t)) + b, or (inverse) (x - b) exp(-tanh(t)); the update is [pixels, 2c]: t, then b.
extern "C" __global__ void couple(const float *x, const float *update, float *y, long long n, int c,
                                  int inverse) {
    LOOP(i, n) {
        long long pixel = quotient(i, c);
        const float *at = update + pixel * c + i; // pixel 2c + channel
        float t = tanhf(at[0]), b = at[c];
        y[i] = inverse ? (x[i] - b) * expf(-t) : x[i] * expf(t) + b;
    }
}

// Gradients of x and of the update; from x, or (inverse) from what came out, and from t, whose
// pixels are `stride` values apart.
extern "C" __global__ void couple_backward(const float *x, const float *t, int stride,
                                           const float *dy, float *dx, float *d_update, long long n,
                                           int c, int inverse) {
    LOOP(i, n) {
        long long pixel = quotient(i, c);
        int k = (int)(i - pixel * c);
        float size = tanhf(t[pixel * stride + k]), g = dy[i];
        float d = g * expf(inverse ? -size : size);
        float *to = d_update + pixel * 2 * c + k;
        dx[i] = d;
        to[0] = inverse ? g * x[i] * (size * size - 1) : d * x[i] * (1 - size * size);
        to[c] = inverse ? -d : g;
    }
}

// Means of squares of side x side values: x [n, h, w, c] to y [n, h / side, w / side, c].
extern "C" __global__ void square_means(const float *x, float *y, long long n, int h, int w, int c,
                                        int side) {
    int rows = h / side, columns = w / side;
    LOOP(i, n) {
        int k = channel_of(i, c);
        long long square = quotient(i, c);
        long long line = quotient(square, columns);
        int column = (int)(square - line * columns);
        long long picture = quotient(line, rows);
        int row = (int)(line - picture * rows);
        float sum = 0;
        for (int u = 0; u < side; u++) {
            const float *at =
                x + ((picture * h + row * side + u) * w + column * side) * (long long)c + k;
            for (int v = 0; v < side; v++)
                sum += at[v * c];
        }
        y[i] = sum / (side * side);
    }
}

// n is the number of values of dx.
extern "C" __global__ void square_means_backward(const float *dy, float *dx, long long n, int h,
                                                 int w, int c, int side) {
    int rows = h / side, columns = w / side;
    LOOP(i, n) {
        int k = channel_of(i, c);
        long long pixel = quotient(i, c);
        long long line = quotient(pixel, w);
        int column = (int)(pixel - line * w) / side;
        long long picture = quotient(line, h);
        int row = (int)(line - picture * h) / side;
        bool inside = row < rows && column < columns;
        dx[i] =
            inside ? dy[((picture * rows + row) * columns + column) * c + k] / (side * side) : 0;
    }
}

__device__ __forceinline__ unsigned rotated(unsigned v, int by) {
    return v << by | v >> (32 - by);
}

__device__ __forceinline__ void quarter_round(unsigned &a, unsigned &b, unsigned &c, unsigned &d) {
    a += b;
    d = rotated(d ^ a, 16);
    c += d;
    b = rotated(b ^ c, 12);
    a += b;
    d = rotated(d ^ a, 8);
    c += d;
    b = rotated(b ^ c, 7);
}

// ChaCha (Bernstein 2008) with 8 rounds, as the CPU draws it: the state's words 4 to 15 are a key
// of eight, the number of the block and the stream. `key` is the key, the stream, the number of the
// first block, each low word first, and the first word of that block that counts. Each word is a
// value of y, uniform in
// [-0.5, 0.5), in the order of [n, c, plane]; y is [n, plane, c].
extern "C" __global__ void uniform(const unsigned *key, float *y, long long n, long long plane,
                                   int c) {
    u64 first = key[10] | (u64)key[11] << 32;
    int skipped = key[12];
    LOOP(block, (n + skipped + 15) / 16) {
        u64 number = first + block;
        unsigned start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
        for (int i = 0; i < 8; i++)
            start[4 + i] = key[i];
        start[12] = (unsigned)number;
        start[13] = (unsigned)(number >> 32);
        start[14] = key[8];
        start[15] = key[9];
        unsigned v[16];
        for (int i = 0; i < 16; i++)
            v[i] = start[i];
        for (int i = 0; i < 4; i++) {
            quarter_round(v[0], v[4], v[8], v[12]);
            quarter_round(v[1], v[5], v[9], v[13]);
            quarter_round(v[2], v[6], v[10], v[14]);
            quarter_round(v[3], v[7], v[11], v[15]);
            quarter_round(v[0], v[5], v[10], v[15]);
            quarter_round(v[1], v[6], v[11], v[12]);
            quarter_round(v[2], v[7], v[8], v[13]);
            quarter_round(v[3], v[4], v[9], v[14]);
        }
        for (int i = 0; i < 16; i++) {
            long long at = block * 16 + i - skipped;
            if (at < 0 || at >= n)
                continue;
            long long line = at / plane;
            long long pixel = at - line * plane;
            unsigned bits = (v[i] + start[i]) >> 8;
            y[(line / c * plane + pixel) * c + line % c] = bits * (1.0f / (1 << 24)) - 0.5f;
        }
    }
}
