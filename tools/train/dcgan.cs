#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Convolutional GAN for digits (after Radford et al. 2016), with batch norm in the generator.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("dcgan", "trains a convolutional GAN on digits", DataKind.Grey,
    r =>
    {
        DcganSizes sizes = new(r.Image, r.Latent ?? 100, Downsampling: r.Flags.Downsampling);
        return r.Recipe == Recipe.Seed ? Dcgan.Tutorial(sizes, r.Tricks) : Dcgan.Canonical(sizes, r.Tricks);
    },
    [
        "running statistics of batch norms: seed never updates them, canonical does",
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Flags = [ModelFlags.Downsample, .. ModelFlags.OfClassifiers] }, args);
