module tracewright/go-service/tools

go 1.26.0

tool go-simpler.org/sloglint/cmd/sloglint

require (
	github.com/ettle/strcase v0.2.0 // indirect
	go-simpler.org/sloglint v0.12.0 // indirect
	golang.org/x/mod v0.33.0 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/tools v0.42.0 // indirect
)
