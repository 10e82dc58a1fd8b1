/* builtins.cu - every name of native/device/builtins.txt, used once for each type that CUDA has it for. Compiled by the
   clang layer and by the stand-in of NVRTC; nothing runs it. */

#define VECTORS(T, N1, MAKE1, N2, MAKE2, N3, MAKE3, N4, MAKE4)                                                         \
    __device__ float vectors(T v)                                                                                      \
    {                                                                                                                  \
        N1 a = MAKE1(v);                                                                                               \
        N2 b = MAKE2(a.x, v);                                                                                          \
        N3 c = MAKE3(b.x, b.y, v);                                                                                     \
        N4 d = MAKE4(c.x, c.y, c.z, v);                                                                                \
        return (float)(d.x + d.y + d.z + d.w);                                                                         \
    }
VECTORS(signed char, char1, make_char1, char2, make_char2, char3, make_char3, char4, make_char4)
VECTORS(unsigned char, uchar1, make_uchar1, uchar2, make_uchar2, uchar3, make_uchar3, uchar4, make_uchar4)
VECTORS(short, short1, make_short1, short2, make_short2, short3, make_short3, short4, make_short4)
VECTORS(unsigned short, ushort1, make_ushort1, ushort2, make_ushort2, ushort3, make_ushort3, ushort4, make_ushort4)
VECTORS(int, int1, make_int1, int2, make_int2, int3, make_int3, int4, make_int4)
VECTORS(unsigned, uint1, make_uint1, uint2, make_uint2, uint3, make_uint3, uint4, make_uint4)
VECTORS(long long, longlong1, make_longlong1, longlong2, make_longlong2, longlong3, make_longlong3, longlong4,
        make_longlong4)
VECTORS(unsigned long long, ulonglong1, make_ulonglong1, ulonglong2, make_ulonglong2, ulonglong3, make_ulonglong3,
        ulonglong4, make_ulonglong4)
VECTORS(float, float1, make_float1, float2, make_float2, float3, make_float3, float4, make_float4)
VECTORS(double, double1, make_double1, double2, make_double2, double3, make_double3, double4, make_double4)

extern "C" __global__ void vectors_of_all(float* out, int v)
{
    out[0] = vectors((signed char)v) + vectors((unsigned char)v) + vectors((short)v) + vectors((unsigned short)v);
    out[1] = vectors(v) + vectors((unsigned)v) + vectors((long long)v) + vectors((unsigned long long)v);
    out[2] = vectors((float)v) + vectors((double)v);
}

extern "C" __global__ void __launch_bounds__(1024, 1) indices(unsigned* out)
{
    dim3 block = blockDim;
    uint3 thread = threadIdx;
    unsigned row = blockIdx.y * gridDim.x + blockIdx.x + blockIdx.z * gridDim.y * gridDim.z;
    out[row * block.x * blockDim.y * blockDim.z + thread.x] = thread.y + threadIdx.z + warpSize + dim3(2, 3).z;
}

extern "C" __global__ void barriers(int* out)
{
    __shared__ int s[1024];
    extern __shared__ float dynamic[];
    s[threadIdx.x] = 1;
    dynamic[threadIdx.x] = 1.0f;
    __syncthreads();
    int count = __syncthreads_count(s[0]) + __syncthreads_and(s[1]) + __syncthreads_or(s[2]);
    __syncwarp();
    __syncwarp(0xffffffffu);
    __threadfence();
    __threadfence_block();
    out[threadIdx.x] = count + (int)dynamic[0];
}

template <class T> __device__ T exchanged(T v)
{
    unsigned all = 0xffffffffu;
    v += __shfl_sync(all, v, 0) + __shfl_sync(all, v, 0, 16);
    v += __shfl_up_sync(all, v, 1) + __shfl_up_sync(all, v, 1, 16);
    v += __shfl_down_sync(all, v, 1) + __shfl_down_sync(all, v, 1, 16);
    return v + __shfl_xor_sync(all, v, 1) + __shfl_xor_sync(all, v, 1, 16);
}

extern "C" __global__ void shuffles(int* i, unsigned* u, long* l, unsigned long* ul, long long* ll,
                                    unsigned long long* ull, float* f, double* d)
{
    int t = threadIdx.x;
    i[t] = exchanged(i[t]);
    u[t] = exchanged(u[t]);
    l[t] = exchanged(l[t]);
    ul[t] = exchanged(ul[t]);
    ll[t] = exchanged(ll[t]);
    ull[t] = exchanged(ull[t]);
    f[t] = exchanged(f[t]);
    d[t] = exchanged(d[t]);
}

extern "C" __global__ void votes(unsigned* out, int p)
{
    unsigned all = 0xffffffffu, v = out[threadIdx.x];
    v += __ballot_sync(all, p) + __any_sync(all, p) + __all_sync(all, p) + __activemask();
    v += __match_any_sync(all, p) + __match_any_sync(all, v);
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    v += __reduce_add_sync(all, p) + __reduce_add_sync(all, v);
#endif
    out[threadIdx.x] = v;
}

template <class T> __device__ void ordered(T* p, T v)
{
    atomicMin(p, v);
    atomicMax(p, v);
    atomicExch(p, v);
    atomicCAS(p, v, v);
    atomicAnd(p, v);
    atomicOr(p, v);
    atomicXor(p, v);
}

extern "C" __global__ void atomics(int* i, unsigned* u, long long* ll, unsigned long long* ull, float* f, double* d)
{
    atomicAdd(i, 1);
    atomicAdd(u, 1u);
    atomicAdd(u, 1); // an int for an unsigned, as much code has it
    atomicAdd(ull, 1ull);
    atomicAdd(f, 1.0f);
    atomicAdd(d, 1.0);
    atomicSub(i, 1);
    atomicSub(u, 1u);
    atomicInc(u, 7u);
    atomicDec(u, 7u);
    atomicExch(f, 1.0f);
    atomicMin(ll, 1ll);
    atomicMax(ll, 1ll);
    ordered(i, *i);
    ordered(u, *u);
    ordered(ull, *ull);
}

template <class T> __device__ void hinted(T* p)
{
    __stcs(p, __ldg(p));
    __stcs(p, __ldcs(p));
}

struct Hinted
{
    char* char_;
    signed char* signed_char_;
    unsigned char* unsigned_char_;
    short* short_;
    unsigned short* unsigned_short_;
    int* int_;
    unsigned* unsigned_;
    long* long_;
    unsigned long* unsigned_long_;
    long long* long_long_;
    unsigned long long* unsigned_long_long_;
    float* float_;
    double* double_;
    char2* char2_;
    char4* char4_;
    uchar2* uchar2_;
    uchar4* uchar4_;
    short2* short2_;
    short4* short4_;
    ushort2* ushort2_;
    ushort4* ushort4_;
    int2* int2_;
    int4* int4_;
    uint2* uint2_;
    uint4* uint4_;
    longlong2* longlong2_;
    ulonglong2* ulonglong2_;
    float2* float2_;
    float4* float4_;
    double2* double2_;
};

extern "C" __global__ void hints(Hinted p)
{
    hinted(p.char_);
    hinted(p.signed_char_);
    hinted(p.unsigned_char_);
    hinted(p.short_);
    hinted(p.unsigned_short_);
    hinted(p.int_);
    hinted(p.unsigned_);
    hinted(p.long_);
    hinted(p.unsigned_long_);
    hinted(p.long_long_);
    hinted(p.unsigned_long_long_);
    hinted(p.float_);
    hinted(p.double_);
    hinted(p.char2_);
    hinted(p.char4_);
    hinted(p.uchar2_);
    hinted(p.uchar4_);
    hinted(p.short2_);
    hinted(p.short4_);
    hinted(p.ushort2_);
    hinted(p.ushort4_);
    hinted(p.int2_);
    hinted(p.int4_);
    hinted(p.uint2_);
    hinted(p.uint4_);
    hinted(p.longlong2_);
    hinted(p.ulonglong2_);
    hinted(p.float2_);
    hinted(p.float4_);
    hinted(p.double2_);
}

extern "C" __global__ void bits(int* i, unsigned* u, float* f, long long* ll, double* d)
{
    f[0] = __int_as_float(i[0]) + __uint_as_float(u[0]);
    i[0] = __float_as_int(f[0]) + __mulhi(i[0], i[1]) + __clz(i[2]) + __ffs(i[3]);
    u[0] = __float_as_uint(f[0]) + __umulhi(u[0], u[1]) + __popc(u[2]) + __popcll(ll[0]) + __brev(u[3]);
    i[1] = min(i[0], i[1]) + max(i[0], i[1]) + abs(i[2]);
    u[1] = min(u[0], u[1]) + max(u[0], u[1]) + min(u[0], i[0]) + max(i[0], u[0]);
    ll[1] = min(ll[0], ll[1]) + max(ll[0], ll[1]) + abs(ll[2]);
    f[1] = min(f[0], f[1]) + max(f[0], f[1]) + abs(f[2]);
    d[1] = min(d[0], d[1]) + max(d[0], d[1]) + abs(d[2]);
}

extern "C" __global__ void functions(float* out, const float* in, const double* d)
{
    float a = in[0], b = in[1], c = in[2], s, t;
    sincosf(a, &s, &t);
    sincospif(b, &a, &b);
    s += expf(a) + exp2f(b) + expm1f(c) + logf(a) + log2f(b) + log1pf(c) + tanhf(a) + sinf(b) + cosf(c) + powf(a, b);
    s += sqrtf(a) + rsqrtf(b) + cbrtf(c) + erff(a) + fmaf(a, b, c) + fabsf(a) + fmaxf(a, b) + fminf(b, c) + floorf(a);
    s += ceilf(a) + rintf(b) + truncf(c) + fmodf(a, b) + copysignf(b, c);
    s += __expf(a) + __logf(b) + __sinf(c) + __cosf(a) + __powf(b, c) + __fdividef(a, b) + __frcp_rn(c);
    s += __fsqrt_rn(a) + __saturatef(b) + __fmul_rn(a, b) + __fadd_rn(b, c) + __fmaf_rn(a, b, c);
    s += __int2float_rn(__float2int_rn(a) + __float2int_rz(b));
    bool any = isnan(a) || isinf(b) || isfinite(c) || isnan(d[0]) || isinf(d[1]) || isfinite(d[2]);
    out[0] = any ? s : t;
}

// Without their f, functions are overloaded for float and double.
template <class T> __device__ T overloads(T a, T b)
{
    T s = exp(a) + exp2(b) + expm1(a) + log(b) + log2(a) + log1p(b) + tanh(a) + sin(b) + cos(a) + sqrt(b) + fabs(a);
    return s + floor(a) + ceil(b) + pow(a, b);
}

extern "C" __global__ void overloaded(float* f, double* d)
{
    f[0] = overloads(f[1], f[2]);
    d[0] = overloads(d[1], d[2]) + fma(d[3], d[4], d[5]) + fmin(d[6], d[7]) + fmax(d[8], d[9]);
}
