package kern

// Version is the version of the kernel, as uname(2) will tell it.
const Version = "0.1"
