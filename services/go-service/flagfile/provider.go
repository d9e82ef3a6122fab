// Package flagfile is an OpenFeature provider for a file in flagd's format. The file is read again when it changes.
//
// flagd's own Go provider talks to a server or links half of one; a file needs neither. What is not supported:
// $evaluators, and flagd's additions to JSONLogic (fractional, sem_ver, starts_with, ends_with).
package flagfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/diegoholiveira/jsonlogic/v3"
	"github.com/open-feature/go-sdk/openfeature"
)

// lookEvery is how soon a change is seen at the latest. A look is one stat.
const lookEvery = 250 * time.Millisecond

// Provider gives boolean flags; it is safe for concurrent use.
type Provider struct {
	path  string
	flags atomic.Pointer[map[string]flag]
	seen  os.FileInfo // used by Open, then by Watch alone
}

type flag struct {
	State          string          `json:"state"`
	Variants       map[string]bool `json:"variants"`
	DefaultVariant string          `json:"defaultVariant"`
	Targeting      json.RawMessage `json:"targeting"`
}

// Open reads the file once. The error names it, and what is wrong.
func Open(path string) (*Provider, error) {
	p := &Provider{path: path}
	if err := p.load(); err != nil {
		return nil, err
	}
	return p, nil
}

// Watch reads the file again whenever it changes, until ctx ends. A file that is missing or broken is logged once, and
// what it said last goes on being true.
func (p *Provider) Watch(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	gone := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := os.Stat(p.path)
		if err != nil {
			if !gone {
				log.WarnContext(ctx, "flags not read; the last ones stay", "error", err)
			}
			gone, p.seen = true, nil
			continue
		}
		gone = false
		if p.seen != nil && os.SameFile(p.seen, now) && p.seen.ModTime().Equal(now.ModTime()) && p.seen.Size() == now.Size() {
			continue
		}
		if err := p.load(); err != nil {
			log.WarnContext(ctx, "flags not read; the last ones stay", "error", err)
			continue
		}
		log.InfoContext(ctx, "flags read", "file", p.path)
	}
}

// load takes the file's flags over, or none of them.
func (p *Provider) load() error {
	seen, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	p.seen = seen // also of a broken file: it is told once
	text, err := os.ReadFile(p.path)
	if err != nil {
		return err
	}
	var file struct {
		Flags map[string]flag `json:"flags"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("%s is not a flagd file: %w", p.path, err)
	}
	if file.Flags == nil {
		return fmt.Errorf("%s is not a flagd file: it has no \"flags\"", p.path)
	}
	for name, f := range file.Flags {
		if err := f.check(); err != nil {
			return fmt.Errorf("%s: flag %s: %w", p.path, name, err)
		}
	}
	p.flags.Store(&file.Flags)
	return nil
}

func (f flag) check() error {
	if _, known := f.Variants[f.DefaultVariant]; !known {
		return fmt.Errorf("defaultVariant %q is none of its variants", f.DefaultVariant)
	}
	if f.targeted() && !jsonlogic.IsValid(bytes.NewReader(f.Targeting)) {
		return errors.New("its targeting is not JSONLogic")
	}
	return nil
}

func (f flag) targeted() bool {
	rule := strings.TrimSpace(string(f.Targeting))
	return rule != "" && rule != "{}" && rule != "null"
}

// Metadata implements [openfeature.FeatureProvider].
func (p *Provider) Metadata() openfeature.Metadata { return openfeature.Metadata{Name: "flagfile"} }

// Hooks implements [openfeature.FeatureProvider].
func (p *Provider) Hooks() []openfeature.Hook { return nil }

// BooleanEvaluation implements [openfeature.FeatureProvider].
func (p *Provider) BooleanEvaluation(
	_ context.Context, name string, fallback bool, subject openfeature.FlattenedContext,
) openfeature.BoolResolutionDetail {
	value, variant, reason, failure := p.resolve(name, subject)
	detail := openfeature.ProviderResolutionDetail{Variant: variant, Reason: reason}
	if failure != nil {
		value, detail.Reason, detail.ResolutionError = fallback, openfeature.ErrorReason, *failure
	}
	return openfeature.BoolResolutionDetail{Value: value, ProviderResolutionDetail: detail}
}

func (p *Provider) resolve(
	name string, subject openfeature.FlattenedContext,
) (value bool, variant string, reason openfeature.Reason, failure *openfeature.ResolutionError) {
	fail := func(made openfeature.ResolutionError) (bool, string, openfeature.Reason, *openfeature.ResolutionError) {
		return false, "", openfeature.ErrorReason, &made
	}
	f, found := (*p.flags.Load())[name]
	if !found || f.State == "DISABLED" {
		return fail(openfeature.NewFlagNotFoundResolutionError(name + " is not in the file, or disabled"))
	}
	variant, reason = f.DefaultVariant, openfeature.StaticReason
	if f.targeted() {
		chosen, err := target(f.Targeting, subject)
		if err != nil {
			return fail(openfeature.NewGeneralResolutionError("evaluate targeting: " + err.Error()))
		}
		reason = openfeature.DefaultReason
		if chosen != "" {
			variant, reason = chosen, openfeature.TargetingMatchReason
		}
	}
	value, known := f.Variants[variant]
	if !known {
		return fail(openfeature.NewGeneralResolutionError("targeting chose " + variant + ", which is no variant"))
	}
	return value, variant, reason, nil
}

// target returns the variant that the rule chooses, or "" when it leaves the choice to the default.
func target(rule json.RawMessage, subject openfeature.FlattenedContext) (string, error) {
	data, err := json.Marshal(subject)
	if err != nil {
		return "", err
	}
	answer, err := jsonlogic.ApplyRaw(rule, data)
	if err != nil {
		return "", err
	}
	var variant *string
	if err := json.Unmarshal(answer, &variant); err != nil {
		return "", err
	}
	if variant == nil {
		return "", nil
	}
	return *variant, nil
}

// The fleet has boolean flags only. The other types are refused as of the wrong type.

// StringEvaluation implements [openfeature.FeatureProvider].
func (p *Provider) StringEvaluation(
	_ context.Context, name, fallback string, _ openfeature.FlattenedContext,
) openfeature.StringResolutionDetail {
	return openfeature.StringResolutionDetail{Value: fallback, ProviderResolutionDetail: notBoolean(name)}
}

// FloatEvaluation implements [openfeature.FeatureProvider].
func (p *Provider) FloatEvaluation(
	_ context.Context, name string, fallback float64, _ openfeature.FlattenedContext,
) openfeature.FloatResolutionDetail {
	return openfeature.FloatResolutionDetail{Value: fallback, ProviderResolutionDetail: notBoolean(name)}
}

// IntEvaluation implements [openfeature.FeatureProvider].
func (p *Provider) IntEvaluation(
	_ context.Context, name string, fallback int64, _ openfeature.FlattenedContext,
) openfeature.IntResolutionDetail {
	return openfeature.IntResolutionDetail{Value: fallback, ProviderResolutionDetail: notBoolean(name)}
}

// ObjectEvaluation implements [openfeature.FeatureProvider].
func (p *Provider) ObjectEvaluation(
	_ context.Context, name string, fallback any, _ openfeature.FlattenedContext,
) openfeature.InterfaceResolutionDetail {
	return openfeature.InterfaceResolutionDetail{Value: fallback, ProviderResolutionDetail: notBoolean(name)}
}

func notBoolean(name string) openfeature.ProviderResolutionDetail {
	return openfeature.ProviderResolutionDetail{
		ResolutionError: openfeature.NewTypeMismatchResolutionError(name + " is a boolean flag"),
		Reason:          openfeature.ErrorReason,
	}
}
