// NVRTC (libnvrtc.so.13) that compiles kernels for the processor: g++ with emulate.h in front.
//
// The "PTX" is a text that names the shared object; the mock's driver loads it. Shared objects are kept
// in the folder MOCK_CUDA_CACHE, or until the process ends in a temporary one.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

#ifndef EMULATE_DIR
#define EMULATE_DIR ""
#endif

extern char** environ;

enum nvrtcResult {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_OUT_OF_MEMORY = 1,
    NVRTC_ERROR_PROGRAM_CREATION_FAILURE = 2,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE = 7,
    NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION = 8,
    NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION = 9,
    NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID = 10,
    NVRTC_ERROR_INTERNAL_ERROR = 11,
};

struct Program {
    std::string source, name, log, image;
    std::vector<std::pair<std::string, std::string>> headers;
    std::set<std::string> expressions;
    std::set<std::string> kernels;
    bool compiled = false;
    bool machine_code = false;  // --gpu-architecture=sm_..
};
typedef Program* nvrtcProgram;

static std::mutex lock;
static std::set<Program*> programs;

static bool known(Program* program) {
    std::lock_guard<std::mutex> guard(lock);
    return programs.count(program) != 0;
}

static bool starts_with(const std::string& text, const char* with) {
    return text.compare(0, strlen(with), with) == 0;
}

static std::string read_file(const std::string& path) {
    std::string text;
    if (FILE* file = fopen(path.c_str(), "rb")) {
        char buffer[1 << 14];
        size_t n;
        while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) text.append(buffer, n);
        fclose(file);
    }
    return text;
}

static bool write_file(const std::string& path, const std::string& text) {
    FILE* file = fopen(path.c_str(), "wb");
    if (!file) return false;
    bool good = fwrite(text.data(), 1, text.size(), file) == text.size();
    return fclose(file) == 0 && good;
}

// Where emulate.h is: the environment says so, or beside this library, or where the library was built.
static std::string include_folder() {
    const char* folder = getenv("MOCK_CUDA_INCLUDE");
    if (folder && *folder) return folder;
    Dl_info info;
    if (dladdr((void*)include_folder, &info) && info.dli_fname) {
        std::string beside = info.dli_fname;
        size_t slash = beside.rfind('/');
        beside = slash == std::string::npos ? "." : beside.substr(0, slash);
        if (access((beside + "/emulate.h").c_str(), R_OK) == 0) return beside;
    }
    return EMULATE_DIR;
}

// The folder for shared objects and for what compiling needs.
static const std::string& work_folder() {
    static const std::string folder = [] {
        const char* cache = getenv("MOCK_CUDA_CACHE");
        if (cache && *cache) {
            std::string path = cache;
            for (size_t at = 1; at <= path.size(); at++)
                if (at == path.size() || path[at] == '/') mkdir(path.substr(0, at).c_str(), 0777);
            return path;
        }
        const char* temporary = getenv("TMPDIR");
        std::string path = std::string(temporary && *temporary ? temporary : "/tmp") + "/mock-nvrtc-XXXXXX";
        if (!mkdtemp(&path[0])) return std::string();
        static std::string at_exit;
        at_exit = path;
        atexit([] {
            std::string command = "rm -rf '" + at_exit + "'";
            (void)!system(command.c_str());
        });
        return path;
    }();
    return folder;
}

// Runs the compiler and returns whether it succeeded; its messages are added to `log`.
static bool run(const std::vector<std::string>& arguments, const std::string& log_path, std::string& log) {
    std::vector<char*> argv;
    for (const std::string& one : arguments) argv.push_back(const_cast<char*>(one.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    pid_t child;
    int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        log += std::string("cannot run ") + argv[0] + ": " + strerror(error) + "\n";
        return false;
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    log += read_file(log_path);
    unlink(log_path.c_str());
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_name(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The text up to the bracket that closes the one at `at`; `at` moves behind it.
static std::string bracketed(const std::string& text, size_t& at) {
    size_t start = at + 1;
    int depth = 0;
    for (; at < text.size(); at++) {
        if (text[at] == '(') depth++;
        if (text[at] == ')' && --depth == 0) return text.substr(start, at++ - start);
    }
    return "";
}

// Kernels of preprocessed source and their launch bounds: `extern "C" __global__ void name(`.
static std::map<std::string, std::string> find_kernels(const std::string& text, std::string& log) {
    std::map<std::string, std::string> kernels;
    for (size_t at = 0; (at = text.find("__global__", at)) != std::string::npos;) {
        size_t before = text.find_last_not_of(" \t\r\n", at ? at - 1 : 0);
        bool plain_name = before != std::string::npos && before >= 2 && text.compare(before - 2, 3, "\"C\"") == 0;
        std::string bound = "1024", name;
        for (at += 10; at < text.size();) {
            if (is_name(text[at])) {
                size_t start = at;
                while (at < text.size() && is_name(text[at])) at++;
                name = text.substr(start, at - start);
            } else if (text[at] == '(') {
                size_t open = at;
                std::string inside = bracketed(text, at);
                if (name == "__launch_bounds__") {
                    int depth = 0;
                    size_t end = 0;
                    for (; end < inside.size() && (depth || inside[end] != ','); end++)
                        depth += inside[end] == '(' ? 1 : inside[end] == ')' ? -1 : 0;
                    bound = inside.substr(0, end);
                } else {
                    at = open;
                    break;
                }
            } else {
                at++;
            }
        }
        if (plain_name) kernels[name] = bound;
        else log += "warning: kernel `" + name + "` is not extern \"C\": its name would be mangled\n";
    }
    return kernels;
}

// Names that the host's headers bring in here, and that NVRTC does not have unless the source declares them.
static bool only_known_names(const std::string& text, std::string& log) {
    static const char* const types[] = {"int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t",
                                        "uint64_t", "intptr_t", "uintptr_t"};
    static const char* const others[] = {"INFINITY", "NAN", "M_PI", "HUGE_VALF", "FLT_MAX", "FLT_MIN", "FLT_EPSILON", "INT_MAX",
                                         "UINT_MAX", "INT_MIN", "std"};
    std::set<std::string> unknown(std::begin(types), std::end(types)), declared;
    unknown.insert(std::begin(others), std::end(others));
    bool good = true;
    std::string statement;  // names since the last `;`, `{` or `}`
    for (size_t at = 0; at < text.size();) {
        if (!is_name(text[at])) {
            if (text[at] == '"') {
                for (at++; at < text.size() && text[at] != '"'; at++)
                    if (text[at] == '\\') at++;
            } else if (text[at] == ';' || text[at] == '{' || text[at] == '}') {
                statement.clear();
            }
            at++;
            continue;
        }
        size_t start = at;
        while (at < text.size() && is_name(text[at])) at++;
        std::string name = text.substr(start, at - start);
        if (unknown.count(name) && !declared.count(name)) {
            if (statement.find("typedef") != std::string::npos || statement.find("using") != std::string::npos)
                declared.insert(name);
            else {
                log += "mock NVRTC: error: identifier \"" + name + "\" is undefined (NVRTC has no standard headers)\n";
                declared.insert(name);
                good = false;
            }
        }
        statement += name + " ";
    }
    return good;
}

API const char* nvrtcGetErrorString(nvrtcResult result) {
    static const char* const names[] = {
        "NVRTC_SUCCESS", "NVRTC_ERROR_OUT_OF_MEMORY", "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
        "NVRTC_ERROR_INVALID_INPUT", "NVRTC_ERROR_INVALID_PROGRAM", "NVRTC_ERROR_INVALID_OPTION",
        "NVRTC_ERROR_COMPILATION", "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
        "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION", "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
        "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID", "NVRTC_ERROR_INTERNAL_ERROR"};
    return (unsigned)result < 12 ? names[result] : "NVRTC_ERROR unknown";
}

API nvrtcResult nvrtcVersion(int* major, int* minor) {
    if (!major || !minor) return NVRTC_ERROR_INVALID_INPUT;
    *major = 13;
    *minor = 0;
    return NVRTC_SUCCESS;
}

static const int ARCHITECTURES[] = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};

API nvrtcResult nvrtcGetNumSupportedArchs(int* n) {
    if (!n) return NVRTC_ERROR_INVALID_INPUT;
    *n = sizeof ARCHITECTURES / sizeof *ARCHITECTURES;
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcGetSupportedArchs(int* architectures) {
    if (!architectures) return NVRTC_ERROR_INVALID_INPUT;
    memcpy(architectures, ARCHITECTURES, sizeof ARCHITECTURES);
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char* name, int n_headers,
                                   const char* const* headers, const char* const* include_names) {
    if (!program || !source || n_headers < 0 || (n_headers && (!headers || !include_names)))
        return NVRTC_ERROR_INVALID_INPUT;
    Program* made = new Program;
    made->source = source;
    made->name = name && *name ? name : "default_program";
    for (int i = 0; i < n_headers; i++) made->headers.emplace_back(include_names[i], headers[i]);
    std::lock_guard<std::mutex> guard(lock);
    programs.insert(made);
    *program = made;
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
    if (!program) return NVRTC_ERROR_INVALID_PROGRAM;
    std::lock_guard<std::mutex> guard(lock);
    if (!programs.erase(*program)) return NVRTC_ERROR_INVALID_PROGRAM;
    delete *program;
    *program = nullptr;
    return NVRTC_SUCCESS;
}

// What an option of NVRTC is to g++; false when NVRTC does not know it.
static bool take_option(Program& program, const std::string& option, std::vector<std::string>& compiler,
                        std::string& contract, std::string& architecture) {
    auto value = [&](const char* with) { return option.substr(strlen(with)); };
    for (const char* with : {"--gpu-architecture=", "-arch="}) {
        if (!starts_with(option, with)) continue;
        std::string name = value(with);
        size_t line = name.find('_');
        std::string kind = name.substr(0, line), number = line == std::string::npos ? "" : name.substr(line + 1);
        if (kind != "compute" && kind != "sm") return false;
        for (int one : ARCHITECTURES)
            if (number == std::to_string(one) || number == std::to_string(one) + "a" || number == std::to_string(one) + "f") {
                architecture = std::to_string(one) + "0";
                program.machine_code = kind == "sm";
                return true;
            }
        return false;
    }
    for (const char* with : {"-D", "--define-macro="})
        if (starts_with(option, with) && option.size() > strlen(with)) {
            compiler.push_back("-D" + value(with));
            return true;
        }
    for (const char* with : {"-U", "--undefine-macro="})
        if (starts_with(option, with) && option.size() > strlen(with)) {
            compiler.push_back("-U" + value(with));
            return true;
        }
    for (const char* with : {"-I", "--include-path="})
        if (starts_with(option, with) && option.size() > strlen(with)) {
            compiler.push_back("-I" + value(with));
            return true;
        }
    for (const char* with : {"--std=", "-std="})
        if (starts_with(option, with))
            return value(with) == "c++11" || value(with) == "c++14" || value(with) == "c++17" || value(with) == "c++20";
    for (const char* with : {"--fmad=", "-fmad="})
        if (starts_with(option, with)) {
            if (value(with) == "false") contract = "-ffp-contract=off";
            return value(with) == "true" || value(with) == "false";
        }
    for (const char* with : {"--ftz=", "-ftz=", "--prec-div=", "-prec-div=", "--prec-sqrt=", "-prec-sqrt="})
        if (starts_with(option, with)) return value(with) == "true" || value(with) == "false";
    for (const char* with : {"--maxrregcount=", "-maxrregcount=", "--split-compile=", "--diag-suppress="})
        if (starts_with(option, with)) return true;
    for (const char* whole : {"--use_fast_math", "-use_fast_math", "-default-device", "--device-as-default-execution-space",
                              "-lineinfo", "--generate-line-info", "-G", "--device-debug", "-w", "--disable-warnings",
                              "--extra-device-vectorization", "-extra-device-vectorization", "--restrict", "-restrict",
                              "--minimal", "-minimal", "--relocatable-device-code=false", "-rdc=false"})
        if (option == whole) return true;
    return false;
}

static uint64_t hash(uint64_t state, const std::string& text) {
    for (unsigned char c : text) state = (state ^ c) * 0x100000001b3ull;
    return (state ^ 0x100) * 0x100000001b3ull;
}

static nvrtcResult compile(Program& program, const std::vector<std::string>& options) {
    program.log.clear();
    program.image.clear();
    program.compiled = false;
    std::vector<std::string> given;
    std::string contract = "-ffp-contract=fast", architecture = "750";
    for (const std::string& option : options)
        if (!take_option(program, option, given, contract, architecture)) {
            program.log = "nvrtc: error: invalid value or unrecognized option '" + option + "'\n";
            return NVRTC_ERROR_INVALID_OPTION;
        }
    std::string include = include_folder(), emulate = include + "/emulate.h", emulate_text = read_file(emulate);
    if (emulate_text.empty()) {
        program.log = "mock NVRTC: no file " + emulate + "; set MOCK_CUDA_INCLUDE\n";
        return NVRTC_ERROR_BUILTIN_OPERATION_FAILURE;
    }
    const std::string& folder = work_folder();
    const char* named = getenv("MOCK_CUDA_CXX");
    const char* extra = getenv("MOCK_CUDA_CXXFLAGS");  // separated by spaces
    std::string compiler = named && *named ? named : "g++";
    given.push_back("-D__CUDA_ARCH__=" + architecture);
    given.push_back("-D__CUDACC_RTC__=1");
    given.push_back("-D__CUDACC__=1");

    uint64_t key = hash(hash(hash(0xcbf29ce484222325ull, emulate_text), program.source), program.name);
    for (const std::string& one : given) key = hash(key, one);
    for (auto& [name, text] : program.headers) key = hash(hash(key, name), text);
    key = hash(hash(hash(key, compiler), contract), extra ? extra : "");
    key = hash(key, "2");  // to be counted up with every change of how kernels are compiled
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)key);
    std::string base = folder + "/" + digits, object = base + ".so", list = base + ".kernels";

    if (access(object.c_str(), R_OK) != 0 || access(list.c_str(), R_OK) != 0) {
        static unsigned count;
        static std::mutex counting;
        unsigned number;
        {
            std::lock_guard<std::mutex> guard(counting);
            number = count++;
        }
        std::string own = base + "-" + std::to_string(getpid()) + "-" + std::to_string(number);
        std::string source = own + ".cu", whole = own + ".cpp", made = own + ".so", plain = own + ".ii", log = own + ".log";
        std::vector<std::string> remove = {source, whole, made, plain};
        if (!program.headers.empty()) {
            mkdir((own + ".headers").c_str(), 0777);
            for (auto& [name, text] : program.headers) {
                write_file(own + ".headers/" + name, text);
                remove.push_back(own + ".headers/" + name);
            }
            given.push_back("-I" + own + ".headers");
        }
        std::string text = "#line 1 \"" + program.name + "\"\n" + program.source + "\n";
        bool good = write_file(source, text);
        if (!good) program.log += "mock NVRTC: cannot write " + source + "\n";

        // No header of the host is found, as with the true one.
        auto preprocess = [&](const char* define) {
            std::vector<std::string> arguments = {compiler, "-E", "-P", "-std=c++17", "-nostdinc", "-nostdinc++", "-x", "c++", define};
            arguments.insert(arguments.end(), given.begin(), given.end());
            arguments.insert(arguments.end(), {source, "-o", plain});
            return run(arguments, log, program.log);
        };
        good = good && preprocess("-UEMULATED") && only_known_names(read_file(plain), program.log);
        good = good && preprocess("-DEMULATED=1");
        std::map<std::string, std::string> kernels;
        if (good) {
            kernels = find_kernels(read_file(plain), program.log);
            text += "\n#line 1 \"mock\"\n";
            for (auto& [name, bound] : kernels) text += "EMULATE_KERNEL_BOUNDED(" + name + ", (" + bound + "))\n";
            good = write_file(whole, text);
        }
        std::vector<std::string> arguments = {compiler,   "-O2",     "-march=native", "-std=c++17", "-fPIC",
                                              "-shared",  contract,  "-fno-math-errno", "-fno-trapping-math",
                                              "-fno-strict-aliasing", "-fvisibility=hidden", "-g1",
                                              // As a card: no access to misaligned vectors.
                                              "-fsanitize=alignment", "-fsanitize-undefined-trap-on-error", "-w", "-x", "c++", "-include", emulate};
        arguments.insert(arguments.end(), given.begin(), given.end());
        for (std::string rest = extra ? extra : ""; !rest.empty();) {
            size_t space = rest.find(' ');
            if (space) arguments.push_back(rest.substr(0, space));
            rest = space == std::string::npos ? "" : rest.substr(space + 1);
        }
        arguments.insert(arguments.end(), {whole, "-o", made});
        good = good && run(arguments, log, program.log);
        if (good) {
            std::string names;
            for (auto& [name, bound] : kernels) names += name + "\n";
            good = write_file(own + ".list", names) && rename((own + ".list").c_str(), list.c_str()) == 0 &&
                   rename(made.c_str(), object.c_str()) == 0;
        }
        for (const std::string& path : remove) unlink(path.c_str());
        if (!program.headers.empty()) rmdir((own + ".headers").c_str());
        if (!good) return NVRTC_ERROR_COMPILATION;
    }
    program.kernels.clear();
    std::string names = read_file(list);
    for (size_t at = 0, end; (end = names.find('\n', at)) != std::string::npos; at = end + 1)
        program.kernels.insert(names.substr(at, end - at));
    for (const std::string& expression : program.expressions)
        if (!program.kernels.count(expression)) {
            program.log += "name expression \"" + expression + "\" is no kernel\n";
            return NVRTC_ERROR_COMPILATION;
        }
    program.image = "// mock CUDA\n.version 9.0\n.target sm_" + architecture.substr(0, architecture.size() - 1) +
                    "\n.address_size 64\n// shared object: " + object + "\n";
    for (const std::string& name : program.kernels) program.image += "// .visible .entry " + name + "\n";
    program.compiled = true;
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int n_options, const char* const* options) {
    if (!known(program)) return NVRTC_ERROR_INVALID_PROGRAM;
    if (n_options < 0 || (n_options && !options)) return NVRTC_ERROR_INVALID_INPUT;
    std::vector<std::string> all;
    for (int i = 0; i < n_options; i++) {
        if (!options[i]) return NVRTC_ERROR_INVALID_INPUT;
        all.push_back(options[i]);
    }
    return compile(*program, all);
}

static nvrtcResult give_size(const std::string& text, size_t* size) {
    if (!size) return NVRTC_ERROR_INVALID_INPUT;
    *size = text.size() + 1;
    return NVRTC_SUCCESS;
}

static nvrtcResult give_text(const std::string& text, char* to) {
    if (!to) return NVRTC_ERROR_INVALID_INPUT;
    memcpy(to, text.c_str(), text.size() + 1);
    return NVRTC_SUCCESS;
}

static nvrtcResult ready(Program* program) {
    if (!known(program)) return NVRTC_ERROR_INVALID_PROGRAM;
    return program->compiled ? NVRTC_SUCCESS : NVRTC_ERROR_INVALID_PROGRAM;
}

API nvrtcResult nvrtcGetPTXSize(nvrtcProgram program, size_t* size) {
    nvrtcResult result = ready(program);
    return result ? result : give_size(program->image, size);
}
API nvrtcResult nvrtcGetPTX(nvrtcProgram program, char* to) {
    nvrtcResult result = ready(program);
    return result ? result : give_text(program->image, to);
}
// Size 0 without machine code, as with the true one.
API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* size) {
    if (nvrtcResult result = ready(program)) return result;
    if (!size) return NVRTC_ERROR_INVALID_INPUT;
    *size = program->machine_code ? program->image.size() + 1 : 0;
    return NVRTC_SUCCESS;
}
API nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* to) {
    if (nvrtcResult result = ready(program)) return result;
    return program->machine_code ? give_text(program->image, to) : NVRTC_ERROR_INVALID_PROGRAM;
}
API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* size) {
    return known(program) ? give_size(program->log, size) : NVRTC_ERROR_INVALID_PROGRAM;
}
API nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* to) {
    return known(program) ? give_text(program->log, to) : NVRTC_ERROR_INVALID_PROGRAM;
}

API nvrtcResult nvrtcAddNameExpression(nvrtcProgram program, const char* expression) {
    if (!known(program)) return NVRTC_ERROR_INVALID_PROGRAM;
    if (!expression) return NVRTC_ERROR_INVALID_INPUT;
    if (program->compiled) return NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION;
    program->expressions.insert(expression);
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcGetLoweredName(nvrtcProgram program, const char* expression, const char** name) {
    if (!known(program)) return NVRTC_ERROR_INVALID_PROGRAM;
    if (!expression || !name) return NVRTC_ERROR_INVALID_INPUT;
    if (!program->compiled) return NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION;
    auto found = program->expressions.find(expression);
    if (found == program->expressions.end()) return NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID;
    *name = found->c_str();
    return NVRTC_SUCCESS;
}
