using CudaGen.Tests;

[assembly: NoLeaks]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
