// Command go-service is the gateway of the fleet: it admits runs, has them executed, and keeps what they cost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tracewright/go-service/faults"
	"tracewright/go-service/flagfile"
	"tracewright/go-service/gateway"
	"tracewright/go-service/httpapi"
	"tracewright/go-service/postgres"
	"tracewright/go-service/pythonservice"
	"tracewright/go-service/telemetry"
	"tracewright/go-service/worker"
)

const (
	service = "go-service"
	version = "0.1.0"

	databasePatience = 10 * time.Second
	finishTimeout    = 5 * time.Second // for requests under way, after SIGTERM
	flushTimeout     = 5 * time.Second // for telemetry, after that
	readTimeout      = 10 * time.Second
	idleTimeout      = 2 * time.Minute
	maxHeaderBytes   = 32 << 10
)

func main() {
	healthcheck := flag.Bool("healthcheck", false, "ask the running service whether it is ready, and exit 0 or 1")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	act := run
	if *healthcheck {
		act = checkHealth
	}
	if err := act(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", service, err)
		os.Exit(1)
	}
}

// run serves until ctx ends, finishes what is under way, flushes, and returns nil.
func run(ctx context.Context, getenv func(string) string, console io.Writer) (err error) {
	settings, err := readConfig(getenv)
	if err != nil {
		return err
	}
	// Flushing and finishing go on after ctx has ended.
	background := context.WithoutCancel(ctx)
	pipeline, err := telemetry.FromEnvironment(background, console)
	if err != nil {
		return err
	}
	var flags *flagfile.Provider
	if settings.flagsFile != "" {
		if flags, err = flagfile.Open(settings.flagsFile); err != nil {
			return fmt.Errorf("FLAGS_FILE: %w", err)
		}
		if pipeline.Faults, err = faults.New(background, flags); err != nil {
			return fmt.Errorf("FLAGS_FILE: %w", err)
		}
	}
	t, err := telemetry.New(background, service, version, pipeline)
	if err != nil {
		return err
	}
	db, err := postgres.Open(background, settings.databaseURL, t.Tracers)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer db.Close()
	defer func() { // before the database closes: the last export reads budgets
		flush, cancel := context.WithTimeout(background, flushTimeout)
		defer cancel()
		if lost := t.Shutdown(flush); lost != nil {
			// A collector that is down is not a failure of ours: the exit code stays.
			t.Log.WarnContext(flush, "telemetry not flushed", "error", lost)
		}
	}()
	if err := db.WaitReady(ctx, databasePatience); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return fmt.Errorf("DATABASE_URL: the database was not ready within %s: %w", databasePatience, err)
	}
	if err := worker.ObserveSpend(t.Meters, db); err != nil {
		return err
	}

	runtime := pythonservice.New(settings.pythonService, settings.dependencyTimeout, t)
	defer runtime.Close()
	api, err := httpapi.New(httpapi.Parts{
		Settings: httpapi.Settings{
			Service: service, Version: version, GatewayID: settings.gatewayID, LatencyScale: settings.latencyScale,
		},
		Tenants:   db,
		Admission: gateway.NewAdmission(db, settings.tenantConcurrency),
		Runtime:   runtime,
		Catalog:   db,
		Health:    db,
		Scrape:    scrapeHandler(),
		Telemetry: t,
	})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", settings.address)
	if err != nil {
		return fmt.Errorf("HOST, PORT: %w", err)
	}
	server := &http.Server{
		Handler:           api.Handler(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + settings.dependencyTimeout + finishTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(t.Log.Handler(), slog.LevelWarn),
	}

	var owned sync.WaitGroup
	working, stopWorker := context.WithCancel(background)
	owned.Go(func() { worker.New(db, db.Listener(), t).Run(working) })
	if flags != nil {
		owned.Go(func() { flags.Watch(working, t.Log) })
	}
	served := make(chan error, 1)
	owned.Go(func() { served <- server.Serve(listener) })
	t.Log.InfoContext(ctx, "listening", "address", listener.Addr().String(), "gateway_id", settings.gatewayID)

	select {
	case <-ctx.Done():
		t.Log.InfoContext(background, "stopping")
	case err = <-served: // never nil
		err = fmt.Errorf("serve: %w", err)
	}
	finish, cancel := context.WithTimeout(background, finishTimeout)
	defer cancel()
	if late := server.Shutdown(finish); late != nil {
		t.Log.WarnContext(background, "requests cut off", "error", late, "timeout_s", finishTimeout.Seconds())
		err = errors.Join(err, server.Close())
	}
	stopWorker()
	owned.Wait()
	return err
}

// scrapeHandler serves process and runtime series only; what the application counts is exported by OTLP.
func scrapeHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// checkHealth asks the service on this machine, for images that have no HTTP client.
func checkHealth(ctx context.Context, getenv func(string) string, _ io.Writer) error {
	port := getenv("PORT")
	if port == "" {
		port = "8002"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", port)+"/", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", response.Status)
	}
	return nil
}
