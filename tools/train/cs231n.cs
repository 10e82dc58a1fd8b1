#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// The convolutional GAN of a CS231n-style tutorial: the discriminator is trained alone for 300 steps first.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("cs231n", "trains a convolutional GAN on digits, the discriminator first", DataKind.Grey,
    r =>
    {
        Cs231nSizes sizes = new(r.Image, r.Latent ?? 100);
        return r.Recipe == Recipe.Seed ? Cs231nGan.Tutorial(sizes, r.Tricks) : Cs231nGan.Canonical(sizes, r.Tricks);
    },
    [
        "batch norms: seed only whiten, their shift being left out of the optimiser by mistake, canonical learn scale and shift",
        "rates of Adam: seed 3e-4 and 1e-4 with beta1 0.9, canonical 2e-4 (Radford et al. 2016) and 1e-3 with beta1 0.5, so that the generator keeps up",
        "optimisers of the discriminator: seed three that know nothing of each other, canonical one",
        "epsilon of Adam: seed 1e-8 on the uncorrected root (TensorFlow), canonical 1e-8 on the corrected one (the paper)",
    ])
{ Batch = _ => 50, Flags = ModelFlags.OfClassifiers }, args);
