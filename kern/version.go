package kern

// Version is the version of the kernel, as uname(2) will tell it.
const Version = "0.1"

// Release is the release of Linux that programs take the kernel for, which some
// of them compare with what they need.
const Release = "6.1.0-mult"
