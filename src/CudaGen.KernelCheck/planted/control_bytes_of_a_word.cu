// Correct: threads write neighbouring bytes of one word, and read them all behind the barrier.
extern "C" __global__ void control_bytes_of_a_word(unsigned char* y, const unsigned char* x)
{
    __shared__ unsigned char s[64];
    s[threadIdx.x] = 255 - x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[63 - threadIdx.x];
}
