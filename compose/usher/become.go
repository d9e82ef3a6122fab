package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// instanceMark stands for the id of one start, as in the native launcher.
const instanceMark = "{instance}"

// become replaces this process, so that signals reach the program. service.instance.id has to tell a process from its
// successor (counters of both under one name would look like one that fell), but a container that is started again
// gets the same environment.
func become(command, environ []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	if err := syscall.Exec(path, command, asInstance(environ)); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil
}

func asInstance(environ []string) []string {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails, it says
	id := hex.EncodeToString(random)
	filled := make([]string, len(environ))
	for i, variable := range environ {
		filled[i] = strings.ReplaceAll(variable, instanceMark, id)
	}
	return filled
}
