package flagfile_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"tracewright/go-service/flagfile"
	"tracewright/go-service/internal/recording"
)

const (
	off      = `{"flags": {"broken": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}}}`
	on       = `{"flags": {"broken": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}`
	targeted = `{"flags": {"broken": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
		"targeting": {"if": [{"or": [{"in": [{"var": "tenant"}, ["acme"]]}, {"in": [{"var": "test"}, ["t-1"]]}]}, "on", "off"]}}}}`
	disabled = `{"flags": {"broken": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}`
)

// replace puts a file in the place of another, as who switches flags does.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, text string) (*flagfile.Provider, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.json")
	replace(t, path, text)
	provider, err := flagfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return provider, path
}

func broken(provider *flagfile.Provider, subject openfeature.FlattenedContext) openfeature.BoolResolutionDetail {
	return provider.BooleanEvaluation(context.Background(), "broken", false, subject)
}

func TestFlagIsForThoseItTargets(t *testing.T) {
	for _, test := range []struct {
		name    string
		text    string
		subject openfeature.FlattenedContext
		want    bool
		reason  openfeature.Reason
	}{
		{"off for all", off, openfeature.FlattenedContext{"tenant": "acme"}, false, openfeature.StaticReason},
		{"on for all", on, nil, true, openfeature.StaticReason},
		{"the tenant", targeted, openfeature.FlattenedContext{"tenant": "acme"}, true, openfeature.TargetingMatchReason},
		{"another tenant", targeted, openfeature.FlattenedContext{"tenant": "globex"}, false, openfeature.TargetingMatchReason},
		{"the test", targeted, openfeature.FlattenedContext{"tenant": "globex", "test": "t-1"}, true, openfeature.TargetingMatchReason},
		{"nobody in particular", targeted, nil, false, openfeature.TargetingMatchReason},
		{"disabled", disabled, nil, false, openfeature.ErrorReason},
	} {
		t.Run(test.name, func(t *testing.T) {
			provider, _ := open(t, test.text)
			if got := broken(provider, test.subject); got.Value != test.want || got.Reason != test.reason {
				t.Errorf("got %v (%s), want %v (%s)", got.Value, got.Reason, test.want, test.reason)
			}
		})
	}
}

func TestUnusableFileIsNamedAtTheStart(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":             `{"flags": `,
		"not a flagd file":     `{}`,
		"an unknown variant":   strings.Replace(off, `"defaultVariant": "off"`, `"defaultVariant": "maybe"`, 1),
		"targeting is no rule": strings.Replace(targeted, `"if"`, `"perhaps"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "flags.json")
			replace(t, path, text)
			if _, err := flagfile.Open(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if _, err := flagfile.Open(filepath.Join(t.TempDir(), "gone.json")); err == nil || !strings.Contains(err.Error(), "gone.json") {
		t.Errorf("the error for a missing file is %v", err)
	}
}

func TestChangeIsSeenAndABrokenFileChangesNothing(t *testing.T) {
	provider, path := open(t, off)
	var lines recording.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { provider.Watch(ctx, slog.New(slog.NewTextHandler(&lines, nil))) })
	defer func() { cancel(); watching.Wait() }()

	is := func(want bool) func() bool { return func() bool { return broken(provider, nil).Value == want } }
	told := func(times int) func() bool {
		return func() bool { return strings.Count(lines.String(), "the last ones stay") == times }
	}
	replace(t, path, on)
	eventually(t, "the flag is on", is(true))
	replace(t, path, `{"flags": `)
	eventually(t, "the broken file is told", told(1))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing file is told", told(2))
	if !broken(provider, nil).Value {
		t.Error("the flag is off without a file that says so")
	}
	replace(t, path, off)
	eventually(t, "the flag is off again", is(false))
	if got := strings.Count(lines.String(), "the last ones stay"); got != 2 {
		t.Errorf("told %d times, want each once:\n%s", got, lines.String())
	}
}

func TestChangeRightAfterTheReadingIsSeen(t *testing.T) {
	provider, path := open(t, off)
	replace(t, path, on)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { provider.Watch(ctx, slog.New(slog.DiscardHandler)) })
	defer func() { cancel(); watching.Wait() }()
	eventually(t, "the flag is on", func() bool { return broken(provider, nil).Value })
}

func TestFlagIsBooleanOnly(t *testing.T) {
	provider, _ := open(t, on)
	if got := provider.StringEvaluation(t.Context(), "broken", "x", nil); got.Value != "x" || got.Error() == nil {
		t.Errorf("got %v", got)
	}
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
