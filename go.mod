module mult

go 1.26.8

require (
	github.com/spf13/cobra v1.10.2
	github.com/usbarmory/tamago v1.26.6
	golang.org/x/arch v0.32.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
)
