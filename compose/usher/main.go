// Usher is the small program of the Compose stack: one static file that runs inside every image, also where the
// image has no shell. It prepares the volumes, asks for health, makes the log index, and starts a service under an
// instance id of its own.
package main

import (
	"fmt"
	"os"
)

const usage = `usher prepare TARGET [FOLDER=UID ...]   copy this program to the file TARGET, give each folder to its user
usher probe URL                         exit 0 when GET answers 2xx within 3 s
usher index URL FILE                    make Quickwit's index of FILE; one that is there is left alone
usher run PROGRAM [ARGUMENT ...]        become PROGRAM, with {instance} in the environment made an id of this start
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "usher:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "prepare":
		return prepare(args[1], args[2:])
	case len(args) == 2 && args[0] == "probe":
		return probe(args[1])
	case len(args) == 3 && args[0] == "index":
		return makeIndex(args[1], args[2])
	case len(args) >= 2 && args[0] == "run":
		return become(args[1:], os.Environ())
	}
	return fmt.Errorf("expected one of these:\n%s", usage)
}
