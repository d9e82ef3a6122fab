package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Group members may write too: a test stack runs the collector as the caller, so that the caller can read its files.
const folderMode = 0o770

// prepare copies the running program to target and gives each "folder=uid" to that user and its group. A named volume
// belongs to root at first, and most images run as somebody else.
func prepare(target string, owners []string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := install(self, target); err != nil {
		return err
	}
	for _, owner := range owners {
		folder, id, found := strings.Cut(owner, "=")
		uid, err := strconv.Atoi(id)
		if !found || err != nil {
			return fmt.Errorf("expected FOLDER=UID, got %q", owner)
		}
		if err := give(folder, uid); err != nil {
			return err
		}
	}
	return nil
}

// install copies whole or not at all: health checks of running containers may start the file at any moment.
func install(source, target string) error {
	program, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	partial := target + ".partial"
	if err := os.WriteFile(partial, program, 0o755); err != nil {
		return fmt.Errorf("copy this program: %w", err)
	}
	if err := os.Rename(partial, target); err != nil {
		return fmt.Errorf("copy this program: %w", err)
	}
	return nil
}

// give does nothing for a folder that has its owner already: volumes may be large.
func give(folder string, uid int) error {
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("look at a volume: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) == uid && int(owner.Gid) == uid {
		return nil
	}
	// The folder itself last, so that an interrupted walk is done again.
	err = filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		return os.Lchown(path, uid, uid)
	})
	if err != nil {
		return fmt.Errorf("change the owner in %s: %w", folder, err)
	}
	if err := os.Chmod(folder, folderMode); err != nil {
		return fmt.Errorf("change the mode of a volume: %w", err)
	}
	if err := os.Chown(folder, uid, uid); err != nil {
		return fmt.Errorf("change the owner of a volume: %w", err)
	}
	return nil
}
