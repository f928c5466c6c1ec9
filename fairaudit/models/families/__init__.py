"""One kind of diffusers pipeline a file, each as a denoiser."""
