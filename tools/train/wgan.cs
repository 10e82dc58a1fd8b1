#:project ../../src/CudaGen.Training/CudaGen.Training.csproj

// Wasserstein GAN (Arjovsky et al. 2017) with the networks of dcgan.cs: the critic's loss tells how far the digits are from real ones.

using CudaGen.Nets;
using CudaGen.Training;

return Trainer.Run(new TrainProgram("wgan", "trains a Wasserstein GAN with clipped weights on digits", DataKind.Grey,
    r =>
    {
        DcganSizes sizes = new(r.Image, r.Latent ?? 100, Downsampling: r.Flags.Downsampling);
        return r.Recipe == Recipe.Seed ? Wgan.Tutorial(sizes, r.Tricks) : Wgan.Canonical(sizes, r.Tricks);
    },
    [
        "learning rate of RMSProp: seed 5e-4, canonical 5e-5 (the paper)",
        "RMSProp: seed decay 0.9 and 1e-10 inside the root (TensorFlow), canonical 0.99 and 1e-8 outside (PyTorch, the authors' program)",
        "running statistics of batch norms: seed never updates them, canonical does",
    ])
{ Batch = _ => 64, Epochs = 20, Flags = [ModelFlags.Downsample, .. ModelFlags.OfCritics] }, args);
