// cudagen_clang.h - what NVRTC predeclares, for clang's CUDA mode without a CUDA toolkit.
//
// The clang layer (ClangCompiler.cs) puts it in front of each kernel file, compiles to PTX and goes no further. It is
// also the list of what kernels may use, builtins.txt (functions without their f too, as CUDA overloads them): anything
// else fails to compile. Functions that NVIDIA implements in libdevice stay external calls of __nv_* in the PTX.
#pragma clang system_header

#define __CUDACC_RTC__
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __align__(n) __attribute__((aligned(n)))
#define CUDAGEN_FN static __device__ inline

typedef __SIZE_TYPE__ size_t;
typedef long long cudagen_ll;
typedef unsigned long long cudagen_ull;

// A table, one builtin a line: clang-format would make four lines of each.
// clang-format off

// ---- vector types with CUDA's alignments; loads and stores with a cache hint, which PTX of this layer does not keep ----

#define CUDAGEN_HINTED(T)                                            \
    CUDAGEN_FN T __ldg(const T* p) { return *p; }                    \
    CUDAGEN_FN T __ldcs(const T* p) { return *p; }                   \
    CUDAGEN_FN void __stcs(T* p, T v) { *p = v; }

#define CUDAGEN_VECTORS(T, N, ALIGN2, ALIGN4)                                        \
    struct N##1 { T x; };                                                            \
    struct __align__(ALIGN2) N##2 { T x, y; };                                       \
    struct N##3 { T x, y, z; };                                                      \
    struct __align__(ALIGN4) N##4 { T x, y, z, w; };                                 \
    CUDAGEN_FN N##1 make_##N##1(T x) { return {x}; }                                 \
    CUDAGEN_FN N##2 make_##N##2(T x, T y) { return {x, y}; }                         \
    CUDAGEN_FN N##3 make_##N##3(T x, T y, T z) { return {x, y, z}; }                 \
    CUDAGEN_FN N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }         \
    CUDAGEN_HINTED(T) CUDAGEN_HINTED(N##2)

CUDAGEN_VECTORS(signed char, char, 2, 4)      CUDAGEN_VECTORS(unsigned char, uchar, 2, 4)
CUDAGEN_VECTORS(short, short, 4, 8)           CUDAGEN_VECTORS(unsigned short, ushort, 4, 8)
CUDAGEN_VECTORS(int, int, 8, 16)              CUDAGEN_VECTORS(unsigned, uint, 8, 16)
CUDAGEN_VECTORS(cudagen_ll, longlong, 16, 16) CUDAGEN_VECTORS(cudagen_ull, ulonglong, 16, 16)
CUDAGEN_VECTORS(float, float, 8, 16)          CUDAGEN_VECTORS(double, double, 16, 16)
CUDAGEN_HINTED(char)   CUDAGEN_HINTED(char4)  CUDAGEN_HINTED(uchar4) CUDAGEN_HINTED(short4) CUDAGEN_HINTED(ushort4)
CUDAGEN_HINTED(int4)   CUDAGEN_HINTED(uint4)  CUDAGEN_HINTED(float4) CUDAGEN_HINTED(long)   CUDAGEN_HINTED(unsigned long)

struct dim3
{
    unsigned x, y, z;
    __device__ constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    __device__ constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    __device__ constexpr operator uint3() const { return {x, y, z}; }
};

// ---- indices: read-only, without an address ----

#define CUDAGEN_INDEX(NAME, REGISTER, VALUE)                                                  \
    struct cudagen_##NAME                                                                     \
    {                                                                                         \
        __declspec(property(get = get_x)) unsigned x;                                         \
        __declspec(property(get = get_y)) unsigned y;                                         \
        __declspec(property(get = get_z)) unsigned z;                                         \
        __device__ unsigned get_x() const { return __nvvm_read_ptx_sreg_##REGISTER##_x(); }   \
        __device__ unsigned get_y() const { return __nvvm_read_ptx_sreg_##REGISTER##_y(); }   \
        __device__ unsigned get_z() const { return __nvvm_read_ptx_sreg_##REGISTER##_z(); }   \
        __device__ operator VALUE() const { return {x, y, z}; }                               \
        cudagen_##NAME() = delete;                                                            \
        cudagen_##NAME(const cudagen_##NAME&) = delete;                                       \
        void operator=(const cudagen_##NAME&) const = delete;                                 \
        cudagen_##NAME* operator&() const = delete;                                           \
    };                                                                                        \
    extern const __device__ __attribute__((weak)) cudagen_##NAME NAME;

CUDAGEN_INDEX(threadIdx, tid, uint3)
CUDAGEN_INDEX(blockIdx, ctaid, uint3)
CUDAGEN_INDEX(blockDim, ntid, dim3)
CUDAGEN_INDEX(gridDim, nctaid, dim3)
CUDAGEN_FN int cudagen_warp_size() { return 32; }
#define warpSize cudagen_warp_size() // no constant expression, as in CUDA

// ---- barriers, fences, votes, shuffles ----

#if !__has_builtin(__syncthreads)
CUDAGEN_FN void __syncthreads() { __nvvm_barrier_sync(0); }
#endif
CUDAGEN_FN int __syncthreads_count(int p) { return __nvvm_bar0_popc(p); }
CUDAGEN_FN int __syncthreads_and(int p) { return __nvvm_bar0_and(p); }
CUDAGEN_FN int __syncthreads_or(int p) { return __nvvm_bar0_or(p); }
CUDAGEN_FN void __syncwarp(unsigned mask = ~0u) { __nvvm_bar_warp_sync(mask); }
CUDAGEN_FN void __threadfence() { __nvvm_membar_gl(); }
CUDAGEN_FN void __threadfence_block() { __nvvm_membar_cta(); }

CUDAGEN_FN unsigned __ballot_sync(unsigned mask, int p) { return __nvvm_vote_ballot_sync(mask, p); }
CUDAGEN_FN int __any_sync(unsigned mask, int p) { return __nvvm_vote_any_sync(mask, p); }
CUDAGEN_FN int __all_sync(unsigned mask, int p) { return __nvvm_vote_all_sync(mask, p); }
CUDAGEN_FN unsigned __activemask() { unsigned m; asm volatile("activemask.b32 %0;" : "=r"(m)); return m; }
CUDAGEN_FN unsigned __match_any_sync(unsigned mask, int v) { return __nvvm_match_any_sync_i32(mask, v); }
CUDAGEN_FN unsigned __match_any_sync(unsigned mask, unsigned v) { return __nvvm_match_any_sync_i32(mask, v); }
#if __CUDA_ARCH__ >= 800
CUDAGEN_FN int __reduce_add_sync(unsigned mask, int v) { return __nvvm_redux_sync_add(v, mask); }
CUDAGEN_FN unsigned __reduce_add_sync(unsigned mask, unsigned v) { return __nvvm_redux_sync_add(v, mask); }
#endif

// The segment mask of a shuffle's width, and the last lane that it may read: the first of the segment for `up`.
#define CUDAGEN_SHUFFLE(NAME, KIND, LAST)                                                                       \
    template <class T> CUDAGEN_FN T cudagen_##NAME(unsigned mask, T v, unsigned a, int width)                   \
    {                                                                                                           \
        struct Words { int word[sizeof(T) / 4]; } w = __builtin_bit_cast(Words, v);                             \
        for (int& word : w.word)                                                                                \
            word = __nvvm_shfl_sync_##KIND##_i32(mask, word, a, ((32 - width) << 8) | LAST);                    \
        return __builtin_bit_cast(T, w);                                                                        \
    }
CUDAGEN_SHUFFLE(shfl_sync, idx, 31)
CUDAGEN_SHUFFLE(shfl_up_sync, up, 0)
CUDAGEN_SHUFFLE(shfl_down_sync, down, 31)
CUDAGEN_SHUFFLE(shfl_xor_sync, bfly, 31)

#define CUDAGEN_SHUFFLES(T)                                                                                                    \
    CUDAGEN_FN T __shfl_sync(unsigned mask, T v, int lane, int width = 32) { return cudagen_shfl_sync(mask, v, lane, width); } \
    CUDAGEN_FN T __shfl_up_sync(unsigned mask, T v, unsigned n, int width = 32) { return cudagen_shfl_up_sync(mask, v, n, width); } \
    CUDAGEN_FN T __shfl_down_sync(unsigned mask, T v, unsigned n, int width = 32) { return cudagen_shfl_down_sync(mask, v, n, width); } \
    CUDAGEN_FN T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32) { return cudagen_shfl_xor_sync(mask, v, x, width); }
CUDAGEN_SHUFFLES(int)  CUDAGEN_SHUFFLES(unsigned)      CUDAGEN_SHUFFLES(float)      CUDAGEN_SHUFFLES(double)
CUDAGEN_SHUFFLES(long) CUDAGEN_SHUFFLES(unsigned long) CUDAGEN_SHUFFLES(cudagen_ll) CUDAGEN_SHUFFLES(cudagen_ull)

// ---- atomics ----

#define CUDAGEN_ATOMIC(NAME, T, AS, BUILTIN) CUDAGEN_FN T NAME(T* p, T v) { return __nvvm_atom_##BUILTIN((AS*)p, v); }
#define CUDAGEN_ATOMICS(T, AS, WIDTH, SIGN)                                        \
    CUDAGEN_ATOMIC(atomicMin, T, T, min_gen_##SIGN)                                \
    CUDAGEN_ATOMIC(atomicMax, T, T, max_gen_##SIGN)                                \
    CUDAGEN_ATOMIC(atomicExch, T, AS, xchg_gen_##WIDTH)                            \
    CUDAGEN_ATOMIC(atomicAnd, T, AS, and_gen_##WIDTH)                              \
    CUDAGEN_ATOMIC(atomicOr, T, AS, or_gen_##WIDTH)                                \
    CUDAGEN_ATOMIC(atomicXor, T, AS, xor_gen_##WIDTH)                              \
    CUDAGEN_FN T atomicCAS(T* p, T expected, T v) { return __nvvm_atom_cas_gen_##WIDTH((AS*)p, expected, v); }
CUDAGEN_ATOMICS(int, int, i, i)
CUDAGEN_ATOMICS(unsigned, int, i, ui)
CUDAGEN_ATOMICS(cudagen_ull, cudagen_ll, ll, ull)
CUDAGEN_ATOMIC(atomicMin, cudagen_ll, cudagen_ll, min_gen_ll)
CUDAGEN_ATOMIC(atomicMax, cudagen_ll, cudagen_ll, max_gen_ll)
CUDAGEN_ATOMIC(atomicAdd, int, int, add_gen_i)
CUDAGEN_ATOMIC(atomicAdd, unsigned, int, add_gen_i)
CUDAGEN_ATOMIC(atomicAdd, cudagen_ull, cudagen_ll, add_gen_ll)
CUDAGEN_ATOMIC(atomicAdd, float, float, add_gen_f)
CUDAGEN_ATOMIC(atomicAdd, double, double, add_gen_d)
CUDAGEN_ATOMIC(atomicInc, unsigned, unsigned, inc_gen_ui)
CUDAGEN_ATOMIC(atomicDec, unsigned, unsigned, dec_gen_ui)
CUDAGEN_FN int atomicSub(int* p, int v) { return __nvvm_atom_add_gen_i(p, -v); }
CUDAGEN_FN unsigned atomicSub(unsigned* p, unsigned v) { return __nvvm_atom_add_gen_i((int*)p, -v); }
CUDAGEN_FN float atomicExch(float* p, float v) { return __builtin_bit_cast(float, atomicExch((int*)p, __builtin_bit_cast(int, v))); }

// ---- bits and integers ----

CUDAGEN_FN int __float_as_int(float v) { return __builtin_bit_cast(int, v); }
CUDAGEN_FN unsigned __float_as_uint(float v) { return __builtin_bit_cast(unsigned, v); }
CUDAGEN_FN float __int_as_float(int v) { return __builtin_bit_cast(float, v); }
CUDAGEN_FN float __uint_as_float(unsigned v) { return __builtin_bit_cast(float, v); }
CUDAGEN_FN int __mulhi(int a, int b) { return (int)((cudagen_ll)a * b >> 32); }
CUDAGEN_FN unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((cudagen_ull)a * b >> 32); }
CUDAGEN_FN int __popc(unsigned v) { return __builtin_popcount(v); }
CUDAGEN_FN int __popcll(cudagen_ull v) { return __builtin_popcountll(v); }
CUDAGEN_FN int __clz(int v) { return v == 0 ? 32 : __builtin_clz((unsigned)v); }
CUDAGEN_FN int __ffs(int v) { return __builtin_ffs(v); }
CUDAGEN_FN unsigned __brev(unsigned v) { return __builtin_bitreverse32(v); }

#define CUDAGEN_MINMAX(T)                                     \
    CUDAGEN_FN T min(T a, T b) { return b < a ? b : a; }      \
    CUDAGEN_FN T max(T a, T b) { return a < b ? b : a; }
CUDAGEN_MINMAX(int)  CUDAGEN_MINMAX(unsigned)      CUDAGEN_MINMAX(cudagen_ll)
CUDAGEN_MINMAX(long) CUDAGEN_MINMAX(unsigned long) CUDAGEN_MINMAX(cudagen_ull)
CUDAGEN_FN unsigned min(int a, unsigned b) { return min((unsigned)a, b); }
CUDAGEN_FN unsigned min(unsigned a, int b) { return min(a, (unsigned)b); }
CUDAGEN_FN unsigned max(int a, unsigned b) { return max((unsigned)a, b); }
CUDAGEN_FN unsigned max(unsigned a, int b) { return max(a, (unsigned)b); }
CUDAGEN_FN float min(float a, float b) { return __builtin_fminf(a, b); }
CUDAGEN_FN float max(float a, float b) { return __builtin_fmaxf(a, b); }
CUDAGEN_FN double min(double a, double b) { return __builtin_fmin(a, b); }
CUDAGEN_FN double max(double a, double b) { return __builtin_fmax(a, b); }
CUDAGEN_FN int abs(int v) { return v < 0 ? -v : v; }
CUDAGEN_FN long abs(long v) { return v < 0 ? -v : v; }
CUDAGEN_FN cudagen_ll abs(cudagen_ll v) { return v < 0 ? -v : v; }
CUDAGEN_FN float abs(float v) { return __builtin_fabsf(v); }
CUDAGEN_FN double abs(double v) { return __builtin_fabs(v); }

// ---- floating point: one instruction each ----

// Each as NAMEf, and as CUDA's overloads of NAME for float and double.
#define CUDAGEN_EXACT1(NAME, F, D)                                      \
    CUDAGEN_FN float NAME##f(float v) { return F(v); }                  \
    CUDAGEN_FN float NAME(float v) { return F(v); }                     \
    CUDAGEN_FN double NAME(double v) { return D(v); }
#define CUDAGEN_EXACT2(NAME, F, D)                                      \
    CUDAGEN_FN float NAME##f(float a, float b) { return F(a, b); }      \
    CUDAGEN_FN float NAME(float a, float b) { return F(a, b); }         \
    CUDAGEN_FN double NAME(double a, double b) { return D(a, b); }
CUDAGEN_EXACT1(fabs, __builtin_fabsf, __builtin_fabs)    CUDAGEN_EXACT1(floor, __builtin_floorf, __builtin_floor)
CUDAGEN_EXACT1(ceil, __builtin_ceilf, __builtin_ceil)    CUDAGEN_EXACT1(rint, __builtin_rintf, __builtin_rint)
CUDAGEN_EXACT1(trunc, __builtin_truncf, __builtin_trunc) CUDAGEN_EXACT1(sqrt, __nvvm_sqrt_rn_f, __nvvm_sqrt_rn_d)
CUDAGEN_EXACT2(fmin, __builtin_fminf, __builtin_fmin)    CUDAGEN_EXACT2(fmax, __builtin_fmaxf, __builtin_fmax)
CUDAGEN_EXACT2(copysign, __builtin_copysignf, __builtin_copysign)
CUDAGEN_FN float fmaf(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
CUDAGEN_FN float fma(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
CUDAGEN_FN double fma(double a, double b, double c) { return __nvvm_fma_rn_d(a, b, c); }
CUDAGEN_FN float rsqrtf(float v) { return __nvvm_rsqrt_approx_f(v); }
CUDAGEN_FN bool isnan(float v) { return v != v; }
CUDAGEN_FN bool isnan(double v) { return v != v; }
CUDAGEN_FN bool isinf(float v) { return __builtin_fabsf(v) == __builtin_inff(); }
CUDAGEN_FN bool isinf(double v) { return __builtin_fabs(v) == __builtin_inf(); }
CUDAGEN_FN bool isfinite(float v) { return __builtin_fabsf(v) < __builtin_inff(); }
CUDAGEN_FN bool isfinite(double v) { return __builtin_fabs(v) < __builtin_inf(); }
CUDAGEN_FN float __expf(float v) { return __nvvm_ex2_approx_f(v * 1.44269504f); }
CUDAGEN_FN float __logf(float v) { return __nvvm_lg2_approx_f(v) * 0.693147181f; }
CUDAGEN_FN float __powf(float v, float e) { return __nvvm_ex2_approx_f(e * __nvvm_lg2_approx_f(v)); }
CUDAGEN_FN float __sinf(float v) { return __nvvm_sin_approx_f(v); }
CUDAGEN_FN float __cosf(float v) { return __nvvm_cos_approx_f(v); }
CUDAGEN_FN float __fdividef(float a, float b) { return __nvvm_div_approx_f(a, b); }
CUDAGEN_FN float __frcp_rn(float v) { return __nvvm_rcp_rn_f(v); }
CUDAGEN_FN float __fsqrt_rn(float v) { return __nvvm_sqrt_rn_f(v); }
CUDAGEN_FN float __saturatef(float v) { return __nvvm_saturate_f(v); }
CUDAGEN_FN float __fadd_rn(float a, float b) { return __nvvm_add_rn_f(a, b); }
CUDAGEN_FN float __fmul_rn(float a, float b) { return __nvvm_mul_rn_f(a, b); }
CUDAGEN_FN float __fmaf_rn(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
CUDAGEN_FN int __float2int_rn(float v) { return __nvvm_f2i_rn(v); }
CUDAGEN_FN int __float2int_rz(float v) { return __nvvm_f2i_rz(v); }
CUDAGEN_FN float __int2float_rn(int v) { return __nvvm_i2f_rn(v); }

// ---- floating point: functions of libdevice ----

#define CUDAGEN_LIBDEVICE1(NAME)                        \
    extern "C" __device__ float __nv_##NAME##f(float);  \
    extern "C" __device__ double __nv_##NAME(double);   \
    CUDAGEN_EXACT1(NAME, __nv_##NAME##f, __nv_##NAME)
#define CUDAGEN_LIBDEVICE2(NAME)                               \
    extern "C" __device__ float __nv_##NAME##f(float, float);  \
    extern "C" __device__ double __nv_##NAME(double, double);  \
    CUDAGEN_EXACT2(NAME, __nv_##NAME##f, __nv_##NAME)
CUDAGEN_LIBDEVICE1(exp)  CUDAGEN_LIBDEVICE1(exp2)  CUDAGEN_LIBDEVICE1(expm1) CUDAGEN_LIBDEVICE1(tanh) CUDAGEN_LIBDEVICE1(erf)
CUDAGEN_LIBDEVICE1(log)  CUDAGEN_LIBDEVICE1(log2)  CUDAGEN_LIBDEVICE1(log1p) CUDAGEN_LIBDEVICE1(sin)  CUDAGEN_LIBDEVICE1(cos)
CUDAGEN_LIBDEVICE1(cbrt) CUDAGEN_LIBDEVICE2(pow)   CUDAGEN_LIBDEVICE2(fmod)
// Two calls: with libdevice's own sincosf the results would go through local memory, which the facts would then count.
CUDAGEN_FN void sincosf(float v, float* s, float* c) { *s = sinf(v), *c = cosf(v); }
extern "C" __device__ float __nv_sinpif(float);
extern "C" __device__ float __nv_cospif(float);
CUDAGEN_FN void sincospif(float v, float* s, float* c) { *s = __nv_sinpif(v), *c = __nv_cospif(v); }

// clang-format on
