#:project ../src/CudaGen.Training/CudaGen.Training.csproj

// Data sets: prepares a folder of pictures, tells what a data set holds, fetches the well-known ones.

using CudaGen.Training;

return DataCommand.Run(args);
