#:project ../src/CudaGen.Training/CudaGen.Training.csproj

// Makes pictures with a generator that a training program saved: a grid, single images, a class, the way from one image to
// another, one number of the code from end to end.

using CudaGen.Training;

return GenerateCommand.Run(args);
