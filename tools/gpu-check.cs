#:project ../src/CudaGen.GpuCheck/CudaGen.GpuCheck.csproj

// Finds out whether everything computes rightly on this machine's GPU. It starts the programs beside it, so it runs in the
// folder that tools/bundle.sh makes.

using CudaGen.GpuCheck;

return await GpuCheckCommand.Run(args);
