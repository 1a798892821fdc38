// cuDNN's backend (graph) API (libcudnn.so.9) for single convolutions of floats, in plain loops.
//
// Two engines: 0 multiplies floats, 1 rounds operands to TF32 first, says so (tensor cores), and wants a
// workspace. As strict as the true library about types, counts, order and what must be set.

#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

#define STATUSES(X)                                                                                    \
    X(CUDNN_STATUS_SUCCESS, 0)                                                                         \
    X(CUDNN_STATUS_NOT_INITIALIZED, 1001)                                                              \
    X(CUDNN_STATUS_BAD_PARAM, 2000)                                                                    \
    X(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, 2002)                                                       \
    X(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, 2003)                                                 \
    X(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, 2004)                                                      \
    X(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, 2005)                                                       \
    X(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, 2006)                                                  \
    X(CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH, 2007)                                                    \
    X(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, 2008)                                                     \
    X(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, 2009)                                                 \
    X(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, 2010)                                                     \
    X(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, 2012)                                                    \
    X(CUDNN_STATUS_NOT_SUPPORTED, 3000)                                                                \
    X(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, 3001)                                                  \
    X(CUDNN_STATUS_NOT_SUPPORTED_SHAPE, 3002)                                                          \
    X(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, 3003)                                                      \
    X(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, 3004)                                                         \
    X(CUDNN_STATUS_INTERNAL_ERROR, 4000)                                                               \
    X(CUDNN_STATUS_EXECUTION_FAILED, 5000)                                                             \
    X(CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER, 5001)
#define X(name, code) name = code,
enum cudnnStatus_t { STATUSES(X) };
#undef X

enum DescriptorType {
    CONVOLUTION = 1,
    ENGINE = 2,
    ENGINECFG = 3,
    ENGINEHEUR = 4,
    EXECUTION_PLAN = 5,
    FORWARD = 10,
    BACKWARD_FILTER = 11,
    BACKWARD_DATA = 12,
    OPERATIONGRAPH = 15,
    VARIANT_PACK = 16,
    TENSOR = 17,
};

enum AttributeType {
    T_HANDLE = 0,
    T_DATA_TYPE = 1,
    T_BOOLEAN = 2,
    T_INT64 = 3,
    T_FLOAT = 4,
    T_DOUBLE = 5,
    T_VOID_PTR = 6,
    T_CONVOLUTION_MODE = 7,
    T_HEUR_MODE = 8,
    T_NUMERICAL_NOTE = 11,
    T_LAYOUT_TYPE = 12,
    T_DESCRIPTOR = 15,
    T_BEHAVIOR_NOTE = 19,
    T_INT32 = 23,
    T_REAL = 100,  // in the table below: T_FLOAT or T_DOUBLE
};

enum Attribute {
    COMP_TYPE = 100, CONV_MODE, DILATIONS, FILTER_STRIDES, POST_PADDINGS, PRE_PADDINGS, SPATIAL_DIMS,
    HEUR_MODE = 200, HEUR_GRAPH, HEUR_RESULTS, HEUR_SM_COUNT,
    CFG_ENGINE = 300, CFG_WORKSPACE_SIZE = 303,
    PLAN_HANDLE = 400, PLAN_CONFIG, PLAN_WORKSPACE_SIZE,
    FORWARD_ALPHA = 700, FORWARD_BETA, FORWARD_CONV, FORWARD_W, FORWARD_X, FORWARD_Y,
    DATA_ALPHA, DATA_BETA, DATA_CONV, DATA_W, DATA_DX, DATA_DY,
    FILTER_ALPHA, FILTER_BETA, FILTER_CONV, FILTER_DW, FILTER_X, FILTER_DY,
    GRAPH_HANDLE = 800, GRAPH_OPS, GRAPH_ENGINE_COUNT,
    BYTE_ALIGNMENT = 900, DATA_TYPE, DIMENSIONS, STRIDES, UNIQUE_ID = 906, IS_VIRTUAL = 907, IS_BY_VALUE = 908,
    PACK_IDS = 1000, PACK_POINTERS, PACK_WORKSPACE = 1003,
    ENGINE_GRAPH = 1300, ENGINE_INDEX, ENGINE_KNOB_INFO, ENGINE_NOTES, ENGINE_LAYOUT_INFO, ENGINE_BEHAVIOR,
    ENGINE_SM_COUNT,
};

// What may be set: by whom, of which type and how often.
struct Rule {
    DescriptorType of;
    int attribute;
    const char* name;
    AttributeType type;
    int64_t min, max;
    bool required;
    int child = -1;  // for T_DESCRIPTOR
};

static const Rule RULES[] = {
    {CONVOLUTION, COMP_TYPE, "CONVOLUTION_COMP_TYPE", T_DATA_TYPE, 1, 1, true},
    {CONVOLUTION, CONV_MODE, "CONVOLUTION_CONV_MODE", T_CONVOLUTION_MODE, 1, 1, true},
    {CONVOLUTION, DILATIONS, "CONVOLUTION_DILATIONS", T_INT64, 1, 6, true},
    {CONVOLUTION, FILTER_STRIDES, "CONVOLUTION_FILTER_STRIDES", T_INT64, 1, 6, true},
    {CONVOLUTION, POST_PADDINGS, "CONVOLUTION_POST_PADDINGS", T_INT64, 1, 6, true},
    {CONVOLUTION, PRE_PADDINGS, "CONVOLUTION_PRE_PADDINGS", T_INT64, 1, 6, true},
    {CONVOLUTION, SPATIAL_DIMS, "CONVOLUTION_SPATIAL_DIMS", T_INT64, 1, 1, true},
    {ENGINEHEUR, HEUR_MODE, "ENGINEHEUR_MODE", T_HEUR_MODE, 1, 1, true},
    {ENGINEHEUR, HEUR_GRAPH, "ENGINEHEUR_OPERATION_GRAPH", T_DESCRIPTOR, 1, 1, true, OPERATIONGRAPH},
    {ENGINEHEUR, HEUR_SM_COUNT, "ENGINEHEUR_SM_COUNT_TARGET", T_INT32, 1, 1, false},
    {ENGINE, ENGINE_GRAPH, "ENGINE_OPERATION_GRAPH", T_DESCRIPTOR, 1, 1, true, OPERATIONGRAPH},
    {ENGINE, ENGINE_INDEX, "ENGINE_GLOBAL_INDEX", T_INT64, 1, 1, true},
    {ENGINE, ENGINE_SM_COUNT, "ENGINE_SM_COUNT_TARGET", T_INT32, 1, 1, false},
    {ENGINECFG, CFG_ENGINE, "ENGINECFG_ENGINE", T_DESCRIPTOR, 1, 1, true, ENGINE},
    {EXECUTION_PLAN, PLAN_HANDLE, "EXECUTION_PLAN_HANDLE", T_HANDLE, 1, 1, true},
    {EXECUTION_PLAN, PLAN_CONFIG, "EXECUTION_PLAN_ENGINE_CONFIG", T_DESCRIPTOR, 1, 1, true, ENGINECFG},
    {FORWARD, FORWARD_ALPHA, "OPERATION_CONVOLUTION_FORWARD_ALPHA", T_REAL, 1, 1, true},
    {FORWARD, FORWARD_BETA, "OPERATION_CONVOLUTION_FORWARD_BETA", T_REAL, 1, 1, true},
    {FORWARD, FORWARD_CONV, "OPERATION_CONVOLUTION_FORWARD_CONV_DESC", T_DESCRIPTOR, 1, 1, true, CONVOLUTION},
    {FORWARD, FORWARD_W, "OPERATION_CONVOLUTION_FORWARD_W", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {FORWARD, FORWARD_X, "OPERATION_CONVOLUTION_FORWARD_X", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {FORWARD, FORWARD_Y, "OPERATION_CONVOLUTION_FORWARD_Y", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {BACKWARD_DATA, DATA_ALPHA, "OPERATION_CONVOLUTION_BWD_DATA_ALPHA", T_REAL, 1, 1, true},
    {BACKWARD_DATA, DATA_BETA, "OPERATION_CONVOLUTION_BWD_DATA_BETA", T_REAL, 1, 1, true},
    {BACKWARD_DATA, DATA_CONV, "OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC", T_DESCRIPTOR, 1, 1, true, CONVOLUTION},
    {BACKWARD_DATA, DATA_W, "OPERATION_CONVOLUTION_BWD_DATA_W", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {BACKWARD_DATA, DATA_DX, "OPERATION_CONVOLUTION_BWD_DATA_DX", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {BACKWARD_DATA, DATA_DY, "OPERATION_CONVOLUTION_BWD_DATA_DY", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {BACKWARD_FILTER, FILTER_ALPHA, "OPERATION_CONVOLUTION_BWD_FILTER_ALPHA", T_REAL, 1, 1, true},
    {BACKWARD_FILTER, FILTER_BETA, "OPERATION_CONVOLUTION_BWD_FILTER_BETA", T_REAL, 1, 1, true},
    {BACKWARD_FILTER, FILTER_CONV, "OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC", T_DESCRIPTOR, 1, 1, true, CONVOLUTION},
    {BACKWARD_FILTER, FILTER_DW, "OPERATION_CONVOLUTION_BWD_FILTER_DW", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {BACKWARD_FILTER, FILTER_X, "OPERATION_CONVOLUTION_BWD_FILTER_X", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {BACKWARD_FILTER, FILTER_DY, "OPERATION_CONVOLUTION_BWD_FILTER_DY", T_DESCRIPTOR, 1, 1, true, TENSOR},
    {OPERATIONGRAPH, GRAPH_HANDLE, "OPERATIONGRAPH_HANDLE", T_HANDLE, 1, 1, true},
    {OPERATIONGRAPH, GRAPH_OPS, "OPERATIONGRAPH_OPS", T_DESCRIPTOR, 1, 64, true},
    {TENSOR, BYTE_ALIGNMENT, "TENSOR_BYTE_ALIGNMENT", T_INT64, 1, 1, true},
    {TENSOR, DATA_TYPE, "TENSOR_DATA_TYPE", T_DATA_TYPE, 1, 1, true},
    {TENSOR, DIMENSIONS, "TENSOR_DIMENSIONS", T_INT64, 1, 8, true},
    {TENSOR, STRIDES, "TENSOR_STRIDES", T_INT64, 1, 8, true},
    {TENSOR, UNIQUE_ID, "TENSOR_UNIQUE_ID", T_INT64, 1, 1, true},
    {TENSOR, IS_VIRTUAL, "TENSOR_IS_VIRTUAL", T_BOOLEAN, 1, 1, false},
    {TENSOR, IS_BY_VALUE, "TENSOR_IS_BY_VALUE", T_BOOLEAN, 1, 1, false},
    {VARIANT_PACK, PACK_IDS, "VARIANT_PACK_UNIQUE_IDS", T_INT64, 1, 64, true},
    {VARIANT_PACK, PACK_POINTERS, "VARIANT_PACK_DATA_POINTERS", T_VOID_PTR, 1, 64, true},
    {VARIANT_PACK, PACK_WORKSPACE, "VARIANT_PACK_WORKSPACE", T_VOID_PTR, 1, 1, false},
};

static const int N_ENGINES = 2;
static const int64_t WORKSPACE = 1024;  // of engine 1

struct Content;

struct Value {
    int type = 0;
    int64_t count = 0;
    std::vector<char> bytes;
    std::vector<std::shared_ptr<Content>> children;

    template <class T> T at(size_t i = 0) const {
        T value;
        memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
        return value;
    }
    double real() const { return type == T_FLOAT ? at<float>() : at<double>(); }
};

struct Content {
    DescriptorType type;
    bool finalized = false;
    std::map<int, Value> values;

    const Value& value(int attribute) const { return values.at(attribute); }
    const Content& child(int attribute, size_t i = 0) const { return *values.at(attribute).children[i]; }
    int64_t integer(int attribute, size_t i = 0) const { return values.at(attribute).at<int64_t>(i); }
    bool flag(int attribute) const { return values.count(attribute) && values.at(attribute).at<char>() != 0; }
};

struct Descriptor {
    std::shared_ptr<Content> content;
};
typedef Descriptor* cudnnBackendDescriptor_t;

struct Handle {
    void* stream = nullptr;
};
typedef Handle* cudnnHandle_t;

static std::mutex lock;
static std::set<Descriptor*> descriptors;
static std::set<Handle*> handles;
static thread_local std::string last_error;

__attribute__((format(printf, 2, 3))) static cudnnStatus_t fail(cudnnStatus_t status, const char* format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    last_error = text;
    return status;
}

static bool live(Descriptor* descriptor) {
    std::lock_guard<std::mutex> guard(lock);
    return descriptors.count(descriptor) != 0;
}
static bool live(Handle* handle) {
    std::lock_guard<std::mutex> guard(lock);
    return handles.count(handle) != 0;
}

// ---- the mock's driver -------------------------------------------------------------------------

static void* driver(const char* name) {
    static void* library = [] {
        void* loaded = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        return loaded ? loaded : dlopen("libcuda.so.1", RTLD_NOW);
    }();
    void* symbol = library ? dlsym(library, name) : nullptr;
    if (!symbol) {
        fprintf(stderr, "mock cuDNN: libcuda.so.1 is not the mock's (no %s)\n", name);
        abort();
    }
    return symbol;
}

static bool is_device(const void* at, size_t size) {
    static auto* call = (int (*)(const void*, size_t))driver("mock_is_device");
    return call(at, size) != 0;
}
static bool is_stream(void* stream) {
    static auto* call = (int (*)(void*))driver("mock_is_stream");
    return call(stream) != 0;
}
static int enqueue(void* stream, void (*work)(void*), void* data, void (*drop)(void*), const char* name) {
    static auto* call = (int (*)(void*, void (*)(void*), void*, void (*)(void*), const char*))driver("mock_enqueue");
    return call(stream, work, data, drop, name);
}

// `MOCK_CUDNN=none`: heuristics find nothing; `refuse=N`: engine N makes no plan.
static std::string setting(const char* key) {
    const char* all = getenv("MOCK_CUDNN");
    if (!all) return "";
    std::string text = std::string(all) + ",";
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find(',', at);
        std::string one = text.substr(at, end - at);
        size_t equals = one.find('=');
        if (one.substr(0, equals) == key) return equals == std::string::npos ? "1" : one.substr(equals + 1);
        at = end + 1;
    }
    return "";
}

// ---- convolutions ------------------------------------------------------------------------------

// x: [n, c, h, w], w: [k, c, r, s], y: [n, k, p, q], each with any strides.
struct Shape {
    int64_t n, c, h, w, k, r, s, p, q;
    int64_t stride[2], pre[2];
    int64_t xs[4], ws[4], ys[4];
};

struct Work {
    DescriptorType operation;
    Shape shape;
    float alpha, beta;
    bool tf32;
    const float *x, *w, *y;  // the one that the operation writes is cast
    void* workspace;
};

static float rounded(float value, bool tf32) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (!tf32 || (bits & 0x7f800000u) == 0x7f800000u) return value;
    bits = (bits + 0x1000u) & 0xffffe000u;
    memcpy(&value, &bits, 4);
    return value;
}

static const int ROWS = 6, COLS = 16;

// sum[i][j] += over t of a[i a_i + t a_t] b[t b_t + j]
static void tile(const float* a, int64_t a_i, int64_t a_t, const float* b, int64_t b_t, int64_t n_t, float sum[ROWS][COLS]) {
    typedef float Vector __attribute__((vector_size(32)));
    Vector acc[ROWS][2];
    memcpy(acc, sum, sizeof acc);
    for (int64_t t = 0; t < n_t; t++) {
        Vector b0, b1;
        memcpy(&b0, b + t * b_t, 32);
        memcpy(&b1, b + t * b_t + 8, 32);
        for (int i = 0; i < ROWS; i++) {
            float value = a[i * a_i + t * a_t];
            acc[i][0] += value * b0;
            acc[i][1] += value * b1;
        }
    }
    memcpy(sum, acc, sizeof acc);
}

static int64_t round_up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

// Convolution without padding of input[n][rows][cols][c], filter[r][s][c][k rounded up to COLS];
// `put(n, p, q, k, value)` takes the results.
template <class Put>
static void convolve(const std::vector<float>& input, int64_t n, int64_t rows, int64_t cols, int64_t c,
                     const std::vector<float>& filter, int64_t r, int64_t s, int64_t k, int64_t stride_p, int64_t stride_q,
                     int64_t p, int64_t q, Put put) {
    int64_t k_room = round_up(k, COLS);
    for (int64_t in = 0; in < n; in++)
        for (int64_t ip = 0; ip < p; ip++)
            for (int64_t ik = 0; ik < k; ik += COLS)
                for (int64_t iq = 0; iq < q; iq += ROWS) {
                    float sum[ROWS][COLS] = {};
                    for (int64_t ir = 0; ir < r; ir++)
                        for (int64_t is = 0; is < s; is++)
                            tile(&input[((in * rows + ip * stride_p + ir) * cols + iq * stride_q + is) * c], stride_q * c, 1,
                                 &filter[(ir * s + is) * c * k_room + ik], k_room, c, sum);
                    for (int64_t i = 0; i < ROWS && iq + i < q; i++)
                        for (int64_t j = 0; j < COLS && ik + j < k; j++) put(in, ip, iq + i, ik + j, sum[i][j]);
                }
}

static void store(float* at, float alpha, float beta, float value) {
    *at = beta == 0.0f ? alpha * value : alpha * value + beta * *at;
}

// x with its padding, channels last; some room behind, because tiles read on.
static std::vector<float> padded_input(const Work& work, int64_t rows, int64_t cols) {
    const Shape& z = work.shape;
    std::vector<float> input(z.n * rows * cols * z.c + ROWS * (z.stride[1] + 1) * z.c + 64, 0.0f);
    for (int64_t n = 0; n < z.n; n++)
        for (int64_t h = 0; h < z.h && h + z.pre[0] < rows; h++)
            for (int64_t w = 0; w < z.w && w + z.pre[1] < cols; w++) {
                const float* from = work.x + n * z.xs[0] + h * z.xs[2] + w * z.xs[3];
                float* to = &input[((n * rows + h + z.pre[0]) * cols + w + z.pre[1]) * z.c];
                for (int64_t c = 0; c < z.c; c++) to[c] = rounded(from[c * z.xs[1]], work.tf32);
            }
    return input;
}

static void forward(const Work& work) {
    const Shape& z = work.shape;
    int64_t rows = (z.p - 1) * z.stride[0] + z.r, cols = (z.q - 1) * z.stride[1] + z.s, k_room = round_up(z.k, COLS);
    std::vector<float> input = padded_input(work, rows, cols), filter(z.r * z.s * z.c * k_room, 0.0f);
    for (int64_t k = 0; k < z.k; k++)
        for (int64_t c = 0; c < z.c; c++)
            for (int64_t r = 0; r < z.r; r++)
                for (int64_t s = 0; s < z.s; s++)
                    filter[((r * z.s + s) * z.c + c) * k_room + k] =
                        rounded(work.w[k * z.ws[0] + c * z.ws[1] + r * z.ws[2] + s * z.ws[3]], work.tf32);
    float* y = const_cast<float*>(work.y);
    convolve(input, z.n, rows, cols, z.c, filter, z.r, z.s, z.k, z.stride[0], z.stride[1], z.p, z.q,
             [&](int64_t n, int64_t p, int64_t q, int64_t k, float value) {
                 store(y + n * z.ys[0] + k * z.ys[1] + p * z.ys[2] + q * z.ys[3], work.alpha, work.beta, value);
             });
}

// A convolution of dy, with zeros between its samples, by the filter turned round.
static void backward_data(const Work& work) {
    const Shape& z = work.shape;
    int64_t rows = z.h + z.r - 1, cols = z.w + z.s - 1, c_room = round_up(z.c, COLS);
    std::vector<float> input(z.n * rows * cols * z.k + 2 * ROWS * z.k + 64, 0.0f), filter(z.r * z.s * z.k * c_room, 0.0f);
    for (int64_t n = 0; n < z.n; n++)
        for (int64_t p = 0; p < z.p; p++)
            for (int64_t q = 0; q < z.q; q++) {
                int64_t row = p * z.stride[0] + z.r - 1 - z.pre[0], col = q * z.stride[1] + z.s - 1 - z.pre[1];
                if (row < 0 || row >= rows || col < 0 || col >= cols) continue;
                const float* from = work.y + n * z.ys[0] + p * z.ys[2] + q * z.ys[3];
                float* to = &input[((n * rows + row) * cols + col) * z.k];
                for (int64_t k = 0; k < z.k; k++) to[k] = rounded(from[k * z.ys[1]], work.tf32);
            }
    for (int64_t k = 0; k < z.k; k++)
        for (int64_t c = 0; c < z.c; c++)
            for (int64_t r = 0; r < z.r; r++)
                for (int64_t s = 0; s < z.s; s++)
                    filter[((r * z.s + s) * z.k + k) * c_room + c] = rounded(
                        work.w[k * z.ws[0] + c * z.ws[1] + (z.r - 1 - r) * z.ws[2] + (z.s - 1 - s) * z.ws[3]], work.tf32);
    float* x = const_cast<float*>(work.x);
    convolve(input, z.n, rows, cols, z.k, filter, z.r, z.s, z.c, 1, 1, z.h, z.w,
             [&](int64_t n, int64_t h, int64_t w, int64_t c, float value) {
                 store(x + n * z.xs[0] + c * z.xs[1] + h * z.xs[2] + w * z.xs[3], work.alpha, work.beta, value);
             });
}

static void backward_filter(const Work& work) {
    const Shape& z = work.shape;
    int64_t rows = (z.p - 1) * z.stride[0] + z.r, cols = (z.q - 1) * z.stride[1] + z.s, k_room = round_up(z.k, COLS);
    std::vector<float> input = padded_input(work, rows, cols), dy(z.n * z.p * z.q * k_room, 0.0f);
    for (int64_t n = 0; n < z.n; n++)
        for (int64_t p = 0; p < z.p; p++)
            for (int64_t q = 0; q < z.q; q++)
                for (int64_t k = 0; k < z.k; k++)
                    dy[((n * z.p + p) * z.q + q) * k_room + k] =
                        rounded(work.y[n * z.ys[0] + k * z.ys[1] + p * z.ys[2] + q * z.ys[3]], work.tf32);
    float* dw = const_cast<float*>(work.w);
    for (int64_t r = 0; r < z.r; r++)
        for (int64_t s = 0; s < z.s; s++)
            for (int64_t c = 0; c < z.c; c += ROWS)
                for (int64_t k = 0; k < z.k; k += COLS) {
                    double total[ROWS][COLS] = {};
                    for (int64_t line = 0; line < z.n * z.p; line++) {
                        int64_t n = line / z.p, p = line % z.p;
                        float sum[ROWS][COLS] = {};
                        tile(&input[((n * rows + p * z.stride[0] + r) * cols + s) * z.c + c], 1, z.stride[1] * z.c,
                             &dy[line * z.q * k_room + k], k_room, z.q, sum);
                        for (int i = 0; i < ROWS; i++)
                            for (int j = 0; j < COLS; j++) total[i][j] += sum[i][j];
                    }
                    for (int64_t i = 0; i < ROWS && c + i < z.c; i++)
                        for (int64_t j = 0; j < COLS && k + j < z.k; j++)
                            store(dw + (k + j) * z.ws[0] + (c + i) * z.ws[1] + r * z.ws[2] + s * z.ws[3], work.alpha,
                                  work.beta, (float)total[i][j]);
                }
}

static void run(void* data) {
    const Work& work = *(Work*)data;
    if (work.workspace) memset(work.workspace, 0xff, WORKSPACE);
    switch (work.operation) {
    case FORWARD: return forward(work);
    case BACKWARD_DATA: return backward_data(work);
    default: return backward_filter(work);
    }
}

// ---- descriptors -------------------------------------------------------------------------------

static const Rule* rule_of(DescriptorType type, int attribute) {
    for (const Rule& rule : RULES)
        if (rule.of == type && rule.attribute == attribute) return &rule;
    return nullptr;
}

static size_t size_of(int type) {
    switch (type) {
    case T_BOOLEAN: return 1;
    case T_INT64: case T_DOUBLE: case T_HANDLE: case T_VOID_PTR: case T_DESCRIPTOR: return 8;
    default: return 4;
    }
}

static bool is_operation(DescriptorType type) {
    return type == FORWARD || type == BACKWARD_DATA || type == BACKWARD_FILTER;
}

API cudnnStatus_t cudnnBackendCreateDescriptor(int type, cudnnBackendDescriptor_t* descriptor) {
    if (!descriptor) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "descriptor is null");
    bool known = false;
    for (const Rule& rule : RULES) known |= rule.of == type;
    if (!known) return fail(CUDNN_STATUS_NOT_SUPPORTED, "the mock has no descriptors of type %d", type);
    Descriptor* made = new Descriptor{std::make_shared<Content>()};
    made->content->type = (DescriptorType)type;
    std::lock_guard<std::mutex> guard(lock);
    descriptors.insert(made);
    *descriptor = made;
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    std::lock_guard<std::mutex> guard(lock);
    if (!descriptors.erase(descriptor)) return fail(CUDNN_STATUS_BAD_PARAM, "no such descriptor");
    delete descriptor;
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, int attribute, int type, int64_t count,
                                           const void* elements) {
    if (!live(descriptor)) return fail(CUDNN_STATUS_BAD_PARAM, "no such descriptor");
    Content& content = *descriptor->content;
    if (content.finalized) return fail(CUDNN_STATUS_NOT_INITIALIZED, "the descriptor is already finalized");
    const Rule* rule = rule_of(content.type, attribute);
    if (!rule) return fail(CUDNN_STATUS_BAD_PARAM, "descriptors of type %d have no attribute %d to set", content.type, attribute);
    if (rule->type == T_REAL ? type != T_FLOAT && type != T_DOUBLE : type != rule->type)
        return fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "CUDNN_ATTR_%s: wrong type %d", rule->name, type);
    if (count < rule->min || count > rule->max)
        return fail(CUDNN_STATUS_BAD_PARAM, "CUDNN_ATTR_%s: %lld elements", rule->name, (long long)count);
    if (!elements) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "CUDNN_ATTR_%s: null", rule->name);
    Value value;
    value.type = type;
    value.count = count;
    value.bytes.assign((const char*)elements, (const char*)elements + count * size_of(type));
    for (int64_t i = 0; i < count; i++) {
        if (type == T_HANDLE && !live(value.at<Handle*>(i)))
            return fail(CUDNN_STATUS_BAD_PARAM, "CUDNN_ATTR_%s: no such handle", rule->name);
        if (type != T_DESCRIPTOR) continue;
        Descriptor* child = value.at<Descriptor*>(i);
        if (!live(child)) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "CUDNN_ATTR_%s: no such descriptor", rule->name);
        DescriptorType child_type = child->content->type;
        if (rule->child >= 0 ? child_type != rule->child : !is_operation(child_type))
            return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "CUDNN_ATTR_%s: a descriptor of type %d", rule->name, child_type);
        if (!child->content->finalized)
            return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "CUDNN_ATTR_%s: the descriptor is not finalized", rule->name);
        value.children.push_back(child->content);
    }
    content.values[attribute] = std::move(value);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_tensor(const Content& t) {
    if (t.value(DATA_TYPE).at<int32_t>() != 0)
        return fail(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "the mock has tensors of floats only");
    int64_t n = t.value(DIMENSIONS).count, alignment = t.integer(BYTE_ALIGNMENT);
    if (t.value(STRIDES).count != n) return fail(CUDNN_STATUS_BAD_PARAM, "tensor: as many strides as dimensions");
    for (int64_t i = 0; i < n; i++)
        if (t.integer(DIMENSIONS, i) < 1 || t.integer(STRIDES, i) < 1)
            return fail(CUDNN_STATUS_BAD_PARAM, "tensor: dimension %lld has size %lld and stride %lld", (long long)i,
                        (long long)t.integer(DIMENSIONS, i), (long long)t.integer(STRIDES, i));
    if (alignment < 1 || (alignment & (alignment - 1)) || alignment % 4)
        return fail(CUDNN_STATUS_BAD_PARAM, "tensor: alignment of %lld bytes", (long long)alignment);
    if (t.flag(IS_VIRTUAL) || t.flag(IS_BY_VALUE))
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "the mock has no virtual tensors and none by value");
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_convolution(const Content& c) {
    int64_t dims = c.integer(SPATIAL_DIMS);
    for (int attribute : {DILATIONS, FILTER_STRIDES, POST_PADDINGS, PRE_PADDINGS}) {
        if (c.value(attribute).count != dims)
            return fail(CUDNN_STATUS_BAD_PARAM, "convolution: %lld dimensions, but %lld elements in attribute %d",
                        (long long)dims, (long long)c.value(attribute).count, attribute);
        int64_t least = attribute == DILATIONS || attribute == FILTER_STRIDES ? 1 : 0;
        for (int64_t i = 0; i < dims; i++)
            if (c.integer(attribute, i) < least)
                return fail(CUDNN_STATUS_BAD_PARAM, "convolution: attribute %d is %lld", attribute,
                            (long long)c.integer(attribute, i));
    }
    if (c.value(CONV_MODE).at<int32_t>() != 1)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "the mock has cross-correlation only");
    if (c.value(COMP_TYPE).at<int32_t>() != 0)
        return fail(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "the mock computes in floats only");
    return CUDNN_STATUS_SUCCESS;
}

struct Parts {
    const Content *convolution, *x, *w, *y;
    double alpha, beta;
};

static Parts parts_of(const Content& o) {
    switch (o.type) {
    case FORWARD:
        return {&o.child(FORWARD_CONV), &o.child(FORWARD_X), &o.child(FORWARD_W), &o.child(FORWARD_Y),
                o.value(FORWARD_ALPHA).real(), o.value(FORWARD_BETA).real()};
    case BACKWARD_DATA:
        return {&o.child(DATA_CONV), &o.child(DATA_DX), &o.child(DATA_W), &o.child(DATA_DY),
                o.value(DATA_ALPHA).real(), o.value(DATA_BETA).real()};
    default:
        return {&o.child(FILTER_CONV), &o.child(FILTER_X), &o.child(FILTER_DW), &o.child(FILTER_DY),
                o.value(FILTER_ALPHA).real(), o.value(FILTER_BETA).real()};
    }
}

static cudnnStatus_t finalize_operation(const Content& o) {
    Parts parts = parts_of(o);
    int64_t spatial = parts.convolution->integer(SPATIAL_DIMS);
    for (const Content* t : {parts.x, parts.w, parts.y})
        if (t->value(DIMENSIONS).count != spatial + 2)
            return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "a tensor of %lld dimensions for a convolution of %lld",
                        (long long)t->value(DIMENSIONS).count, (long long)spatial);
    if (spatial != 2) return fail(CUDNN_STATUS_NOT_SUPPORTED, "the mock has convolutions of two dimensions only");
    auto dim = [](const Content* t, int i) { return t->integer(DIMENSIONS, i); };
    if (dim(parts.x, 1) != dim(parts.w, 1) && dim(parts.x, 1) % dim(parts.w, 1) == 0)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, "the mock has no groups of channels");
    bool good = dim(parts.x, 0) == dim(parts.y, 0) && dim(parts.x, 1) == dim(parts.w, 1) && dim(parts.w, 0) == dim(parts.y, 1);
    for (int i = 0; i < 2; i++) {
        const Content& c = *parts.convolution;
        int64_t reach = (dim(parts.w, i + 2) - 1) * c.integer(DILATIONS, i) + 1;
        int64_t room = dim(parts.x, i + 2) + c.integer(PRE_PADDINGS, i) + c.integer(POST_PADDINGS, i) - reach;
        good &= room >= 0 && dim(parts.y, i + 2) == room / c.integer(FILTER_STRIDES, i) + 1;
        if (c.integer(DILATIONS, i) != 1) return fail(CUDNN_STATUS_NOT_SUPPORTED, "the mock has no dilation");
    }
    if (!good) {
        std::string text;
        for (const Content* t : {parts.x, parts.w, parts.y}) {
            text += t == parts.x ? "x [" : t == parts.w ? ", w [" : ", y [";
            for (int i = 0; i < 4; i++) text += (i ? ", " : "") + std::to_string(dim(t, i));
            text += "]";
        }
        return fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "shapes do not fit: %s", text.c_str());
    }
    std::set<int64_t> ids = {parts.x->integer(UNIQUE_ID), parts.w->integer(UNIQUE_ID), parts.y->integer(UNIQUE_ID)};
    if (ids.size() != 3) return fail(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "two tensors have the same unique id");
    return CUDNN_STATUS_SUCCESS;
}

// Whether a tensor is packed with its channels last (or first); sizes of 1 may have any stride.
static bool packed(const Content* t, bool channels_last) {
    static const int LAST[] = {1, 3, 2, 0}, FIRST[] = {3, 2, 1, 0};
    int64_t expected = 1;
    for (int i : channels_last ? LAST : FIRST) {
        int64_t size = t->integer(DIMENSIONS, i);
        if (size != 1 && t->integer(STRIDES, i) != expected) return false;
        expected *= size;
    }
    return true;
}

static const Content& operation_of(const Content& graph) {
    return graph.child(GRAPH_OPS);
}

static bool layout_supported(const Content& graph) {
    Parts parts = parts_of(operation_of(graph));
    for (bool last : {false, true})
        if (packed(parts.x, last) && packed(parts.w, last) && packed(parts.y, last)) return true;
    return false;
}

API cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
    if (!live(descriptor)) return fail(CUDNN_STATUS_BAD_PARAM, "no such descriptor");
    Content& content = *descriptor->content;
    if (content.finalized) return fail(CUDNN_STATUS_BAD_PARAM, "the descriptor is already finalized");
    for (const Rule& rule : RULES)
        if (rule.of == content.type && rule.required && !content.values.count(rule.attribute))
            return fail(CUDNN_STATUS_BAD_PARAM, "CUDNN_ATTR_%s was not set", rule.name);
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    switch (content.type) {
    case TENSOR: status = finalize_tensor(content); break;
    case CONVOLUTION: status = finalize_convolution(content); break;
    case FORWARD:
    case BACKWARD_DATA:
    case BACKWARD_FILTER: status = finalize_operation(content); break;
    case OPERATIONGRAPH:
        if (content.value(GRAPH_OPS).count != 1)
            status = fail(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "the mock has graphs of one operation only");
        break;
    case ENGINE:
        if (content.integer(ENGINE_INDEX) < 0 || content.integer(ENGINE_INDEX) >= N_ENGINES)
            status = fail(CUDNN_STATUS_NOT_SUPPORTED, "there is no engine %lld", (long long)content.integer(ENGINE_INDEX));
        break;
    case ENGINEHEUR: {
        int mode = content.value(HEUR_MODE).at<int32_t>();
        if (mode < 0 || mode > 3) status = fail(CUDNN_STATUS_BAD_PARAM, "there is no heuristic mode %d", mode);
        break;
    }
    case EXECUTION_PLAN: {
        const Content& engine = content.child(PLAN_CONFIG).child(CFG_ENGINE);
        int64_t index = engine.integer(ENGINE_INDEX);
        if (!layout_supported(engine.child(ENGINE_GRAPH)))
            status = fail(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, "tensors must all be packed NCHW or all NHWC");
        else if (setting("refuse") == std::to_string(index))
            status = fail(CUDNN_STATUS_NOT_SUPPORTED, "engine %lld refuses, as MOCK_CUDNN says", (long long)index);
        break;
    }
    case VARIANT_PACK:
        if (content.value(PACK_IDS).count != content.value(PACK_POINTERS).count)
            status = fail(CUDNN_STATUS_BAD_PARAM, "variant pack: as many pointers as ids");
        else {
            std::set<int64_t> ids;
            for (int64_t i = 0; i < content.value(PACK_IDS).count; i++) ids.insert(content.integer(PACK_IDS, i));
            if ((int64_t)ids.size() != content.value(PACK_IDS).count)
                status = fail(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "variant pack: an id is given twice");
        }
        break;
    default: break;
    }
    content.finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
}

static std::shared_ptr<Content> make_engine(std::shared_ptr<Content> graph, int64_t index) {
    auto engine = std::make_shared<Content>();
    engine->type = ENGINE;
    engine->finalized = true;
    Value& of = engine->values[ENGINE_GRAPH];
    of.type = T_DESCRIPTOR;
    of.count = 1;
    of.children.push_back(graph);
    Value& number = engine->values[ENGINE_INDEX];
    number.type = T_INT64;
    number.count = 1;
    number.bytes.assign((char*)&index, (char*)&index + 8);
    return engine;
}

// Fills descriptors that the caller created. To `count` goes how many there are, be it more than requested.
static cudnnStatus_t give_descriptors(const std::vector<std::shared_ptr<Content>>& given, DescriptorType type,
                                      int64_t requested, int64_t* count, void* elements) {
    if (!elements || requested == 0) {
        if (count) *count = given.size();
        return CUDNN_STATUS_SUCCESS;
    }
    int64_t n = std::min<int64_t>(requested, given.size());
    Descriptor** to = (Descriptor**)elements;
    for (int64_t i = 0; i < n; i++) {
        if (!live(to[i])) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "element %lld is no descriptor", (long long)i);
        if (to[i]->content->type != type)
            return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "element %lld is a descriptor of type %d", (long long)i,
                        to[i]->content->type);
    }
    for (int64_t i = 0; i < n; i++) to[i]->content = given[i];
    if (count) *count = given.size();
    return CUDNN_STATUS_SUCCESS;
}

template <class T>
static cudnnStatus_t give(const std::vector<T>& values, int64_t requested, int64_t* count, void* elements) {
    if (count) *count = values.size();
    if (elements)
        for (int64_t i = 0; i < requested && i < (int64_t)values.size(); i++) ((T*)elements)[i] = values[i];
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, int attribute, int type, int64_t requested,
                                           int64_t* count, void* elements) {
    if (!live(descriptor)) return fail(CUDNN_STATUS_BAD_PARAM, "no such descriptor");
    auto held = descriptor->content;
    const Content& content = *held;
    if (!content.finalized) return fail(CUDNN_STATUS_NOT_INITIALIZED, "the descriptor is not finalized");
    if (requested < 0) return fail(CUDNN_STATUS_BAD_PARAM, "%lld elements requested", (long long)requested);
    auto expect = [&](int expected) {
        return type == expected ? CUDNN_STATUS_SUCCESS
                                : fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "attribute %d is not of type %d", attribute, type);
    };
#define EXPECT(expected)                                                                               \
    if (cudnnStatus_t status = expect(expected)) return status
    if (content.type == ENGINEHEUR && attribute == HEUR_RESULTS) {
        EXPECT(T_DESCRIPTOR);
        auto graph = content.value(HEUR_GRAPH).children[0];
        std::vector<std::shared_ptr<Content>> configs;
        for (int i = 0; i < N_ENGINES && layout_supported(*graph) && setting("none").empty(); i++) {
            auto config = std::make_shared<Content>();
            config->type = ENGINECFG;
            config->finalized = true;
            Value& engine = config->values[CFG_ENGINE];
            engine.type = T_DESCRIPTOR;
            engine.count = 1;
            engine.children.push_back(make_engine(graph, i));
            configs.push_back(config);
        }
        if (configs.empty()) {
            if (count) *count = 0;
            return fail(CUDNN_STATUS_NOT_SUPPORTED, "no engine for this graph");
        }
        return give_descriptors(configs, ENGINECFG, requested, count, elements);
    }
    if (content.type == OPERATIONGRAPH && attribute == GRAPH_ENGINE_COUNT) {
        EXPECT(T_INT64);
        return give<int64_t>({N_ENGINES}, requested, count, elements);
    }
    if (content.type == ENGINE && attribute == ENGINE_NOTES) {
        EXPECT(T_NUMERICAL_NOTE);
        std::vector<int32_t> notes;
        if (content.integer(ENGINE_INDEX) == 1) notes = {0 /* tensor core */, 1 /* inputs converted down */};
        return give(notes, requested, count, elements);
    }
    if (content.type == ENGINE && attribute == ENGINE_BEHAVIOR) {
        EXPECT(T_BEHAVIOR_NOTE);
        return give<int32_t>({}, requested, count, elements);
    }
    if (content.type == ENGINE && (attribute == ENGINE_KNOB_INFO || attribute == ENGINE_LAYOUT_INFO)) {
        EXPECT(T_DESCRIPTOR);
        return give<int64_t>({}, requested, count, elements);
    }
    const Content* config = content.type == EXECUTION_PLAN ? &content.child(PLAN_CONFIG) : &content;
    if ((content.type == EXECUTION_PLAN && attribute == PLAN_WORKSPACE_SIZE) ||
        (content.type == ENGINECFG && attribute == CFG_WORKSPACE_SIZE)) {
        EXPECT(T_INT64);
        return give<int64_t>({config->child(CFG_ENGINE).integer(ENGINE_INDEX) == 1 ? WORKSPACE : 0}, requested, count, elements);
    }
    auto found = content.values.find(attribute);
    const Rule* rule = rule_of(content.type, attribute);
    if (found == content.values.end() || !rule)
        return fail(CUDNN_STATUS_BAD_PARAM, "descriptors of type %d have no attribute %d to get", content.type, attribute);
    const Value& value = found->second;
    EXPECT(value.type);
    if (type == T_DESCRIPTOR)
        return give_descriptors(value.children, value.children[0]->type, requested, count, elements);
    if (count) *count = value.count;
    if (elements) memcpy(elements, value.bytes.data(), std::min(requested, value.count) * size_of(type));
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
    if (!live(handle)) return fail(CUDNN_STATUS_BAD_PARAM, "no such handle");
    if (!live(plan) || !live(pack)) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no such descriptor");
    const Content &p = *plan->content, &v = *pack->content;
    if (p.type != EXECUTION_PLAN || v.type != VARIANT_PACK)
        return fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "a plan and a variant pack are needed");
    if (!p.finalized || !v.finalized) return fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "plan or variant pack is not finalized");
    if (p.value(PLAN_HANDLE).at<Handle*>() != handle) return fail(CUDNN_STATUS_BAD_PARAM, "the plan is another handle's");
    const Content& engine = p.child(PLAN_CONFIG).child(CFG_ENGINE);
    const Content& operation = operation_of(engine.child(ENGINE_GRAPH));
    Parts parts = parts_of(operation);
    Work work = {};
    work.operation = operation.type;
    work.alpha = (float)parts.alpha;
    work.beta = (float)parts.beta;
    work.tf32 = engine.integer(ENGINE_INDEX) == 1;
    const Content* tensors[3] = {parts.x, parts.w, parts.y};
    const float** pointers[3] = {&work.x, &work.w, &work.y};
    for (int i = 0; i < 3; i++) {
        int64_t id = tensors[i]->integer(UNIQUE_ID), size = 1;
        const void* at = nullptr;
        bool found = false;
        for (int64_t j = 0; j < v.value(PACK_IDS).count; j++)
            if (v.integer(PACK_IDS, j) == id) {
                found = true;
                at = v.value(PACK_POINTERS).at<const void*>(j);
            }
        if (!found) return fail(CUDNN_STATUS_BAD_PARAM, "the variant pack lacks unique id %lld", (long long)id);
        if (!at) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "unique id %lld: null pointer", (long long)id);
        if ((uintptr_t)at % tensors[i]->integer(BYTE_ALIGNMENT))
            return fail(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "unique id %lld: pointer is not aligned", (long long)id);
        for (int j = 0; j < 4; j++) size += (tensors[i]->integer(DIMENSIONS, j) - 1) * tensors[i]->integer(STRIDES, j);
        if (!is_device(at, size * 4))
            return fail(CUDNN_STATUS_EXECUTION_FAILED, "unique id %lld: no %lld bytes of device memory there", (long long)id,
                        (long long)size * 4);
        *pointers[i] = (const float*)at;
    }
    if (work.tf32) {
        work.workspace = v.values.count(PACK_WORKSPACE) ? v.value(PACK_WORKSPACE).at<void*>() : nullptr;
        if (!work.workspace) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "the plan needs a workspace");
        if (!is_device(work.workspace, WORKSPACE))
            return fail(CUDNN_STATUS_EXECUTION_FAILED, "workspace: no %lld bytes of device memory there", (long long)WORKSPACE);
    }
    Shape& z = work.shape;
    auto dim = [](const Content* t, int i) { return t->integer(DIMENSIONS, i); };
    z.n = dim(parts.x, 0), z.c = dim(parts.x, 1), z.h = dim(parts.x, 2), z.w = dim(parts.x, 3);
    z.k = dim(parts.w, 0), z.r = dim(parts.w, 2), z.s = dim(parts.w, 3);
    z.p = dim(parts.y, 2), z.q = dim(parts.y, 3);
    for (int i = 0; i < 2; i++) {
        z.stride[i] = parts.convolution->integer(FILTER_STRIDES, i);
        z.pre[i] = parts.convolution->integer(PRE_PADDINGS, i);
    }
    for (int i = 0; i < 4; i++) {
        z.xs[i] = parts.x->integer(STRIDES, i);
        z.ws[i] = parts.w->integer(STRIDES, i);
        z.ys[i] = parts.y->integer(STRIDES, i);
    }
    const char* name = work.operation == FORWARD         ? "cudnn convolution forward"
                       : work.operation == BACKWARD_DATA ? "cudnn convolution backward data"
                                                         : "cudnn convolution backward filter";
    if (int error = enqueue(handle->stream, run, new Work(work), [](void* data) { delete (Work*)data; }, name))
        return fail(CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER, "the driver says %d", error);
    return CUDNN_STATUS_SUCCESS;
}

// ---- the library -------------------------------------------------------------------------------

API size_t cudnnGetVersion() {
    return 91000;
}
API size_t cudnnGetCudartVersion() {
    return 13000;
}

API const char* cudnnGetErrorString(cudnnStatus_t status) {
    switch ((int)status) {
#define X(name, code) \
    case code: return #name;
        STATUSES(X)
#undef X
    }
    return "CUDNN_STATUS unknown";
}

// The text is given once.
API void cudnnGetLastErrorString(char* message, size_t size) {
    if (message && size) snprintf(message, size, "%s", last_error.c_str());
    last_error.clear();
}

API cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
    if (!handle) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "handle is null");
    auto* init = (int (*)(unsigned))driver("cuInit");
    if (int error = init(0)) return fail(CUDNN_STATUS_NOT_INITIALIZED, "the driver says %d", error);
    std::lock_guard<std::mutex> guard(lock);
    *handle = new Handle;
    handles.insert(*handle);
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    std::lock_guard<std::mutex> guard(lock);
    if (!handles.erase(handle)) return fail(CUDNN_STATUS_BAD_PARAM, "no such handle");
    delete handle;
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, void* stream) {
    if (!live(handle)) return fail(CUDNN_STATUS_BAD_PARAM, "no such handle");
    if (!is_stream(stream)) return fail(CUDNN_STATUS_BAD_PARAM, "no such stream");
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

API cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, void** stream) {
    if (!live(handle) || !stream) return fail(CUDNN_STATUS_BAD_PARAM, "no such handle");
    *stream = handle->stream;
    return CUDNN_STATUS_SUCCESS;
}
