package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test program play usher itself, where a test needs another process.
func TestMain(m *testing.M) {
	if os.Getenv("USHER_TEST_AS_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestProbeTellsHealthyFromUnhealthy(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "the database is away")
	}))
	if err := run([]string{"probe", server.URL}); err != nil {
		t.Errorf("healthy: %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := run([]string{"probe", server.URL}); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "the database is away") {
		t.Errorf("unhealthy: got %v, want the status and what was said", err)
	}
	server.Close()
	if err := run([]string{"probe", server.URL}); err == nil {
		t.Error("nobody listens: got no error")
	}
}

func TestIndexIsMadeOnceAndARefusalIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "index.yaml")
	if err := os.WriteFile(file, []byte("index_id: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		status  int
		body    string
		refused bool
	}{
		{"made", 200, "{}", false},
		{"there already", 400, `{"message": "index ` + "`x`" + ` already exists"}`, false},
		{"not understood", 400, `{"message": "unknown field"}`, true},
		{"away", 503, `{"message": "index x already exists, or not"}`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var sent, kind string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent, kind = string(body), r.Header.Get("Content-Type")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			err := run([]string{"index", server.URL, file})
			if (err != nil) != test.refused {
				t.Errorf("got %v", err)
			}
			if sent != "index_id: x" || kind != "application/yaml" {
				t.Errorf("sent %q as %q", sent, kind)
			}
		})
	}
}

func TestEachStartHasAnInstanceIDOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		usher := exec.Command(os.Args[0], "run", "env")
		usher.Env = append(os.Environ(), "USHER_TEST_AS_PROGRAM=1", "ID=go-service-{instance}", "AGAIN={instance}")
		out, err := usher.Output()
		if err != nil {
			t.Fatal(err)
		}
		match := regexp.MustCompile(`(?m)^ID=go-service-([0-9a-f]{8})$`).FindStringSubmatch(string(out))
		if match == nil {
			t.Fatalf("no id in %s", out)
		}
		if !strings.Contains(string(out), "AGAIN="+match[1]+"\n") {
			t.Errorf("one start has two ids: %s", out)
		}
		seen[match[1]] = true
	}
	if len(seen) != 3 {
		t.Errorf("three starts had %d ids", len(seen))
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	if err := run([]string{"run", "no-such-program"}); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("got %v", err)
	}
}

func TestPrepareCopiesTheProgramAndGivesTheFoldersAway(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uid := os.Getuid()
	target := filepath.Join(t.TempDir(), "usher")
	given := folder + "=" + map[bool]string{true: "10001", false: "0"}[uid == 0]
	err := run([]string{"prepare", target, given})
	if uid != 0 {
		if err == nil {
			t.Error("gave a folder away without the right to")
		}
		t.Skip("only root gives folders away")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, filepath.Join(folder, "kept")} {
		if got := ownerOf(t, path); got != 10001 {
			t.Errorf("%s belongs to %d", path, got)
		}
	}
	usher := exec.Command(target, "probe")
	usher.Env = append(os.Environ(), "USHER_TEST_AS_PROGRAM=1")
	if out, err := usher.CombinedOutput(); err == nil || !strings.Contains(string(out), "usher prepare TARGET") {
		t.Errorf("the copy does not run: %v, %s", err, out)
	}
}

func TestPrepareRefusesWhatItCannotRead(t *testing.T) {
	target := filepath.Join(t.TempDir(), "usher")
	for _, owner := range []string{"/x", "/x=nobody", "/no/such/folder=1"} {
		if err := run([]string{"prepare", target, owner}); err == nil {
			t.Errorf("%s: no error", owner)
		}
	}
}
func ownerOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}
