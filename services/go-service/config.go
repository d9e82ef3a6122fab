package main

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"
)

// config is the whole environment of the service, but for OTEL_*, which the SDK reads.
type config struct {
	address           string // host:port to listen on
	databaseURL       string // holds a password: never printed
	pythonService     *url.URL
	dependencyTimeout time.Duration
	gatewayID         string
	tenantConcurrency int
	latencyScale      float64
	flagsFile         string // empty: no flags, nothing is broken on purpose
}

// readConfig returns the settings, or an error that names the variable, what it has to be and what it is.
func readConfig(getenv func(string) string) (config, error) {
	var c config
	var err error
	text := func(name, fallback string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return fallback
	}
	number := func(name, fallback string, low, high float64) float64 {
		value := text(name, fallback)
		parsed, parseErr := strconv.ParseFloat(value, 64)
		if err == nil && (parseErr != nil || !(parsed >= low && parsed <= high)) {
			err = fmt.Errorf("%s must be a number from %v to %v, not %q", name, low, high, value)
		}
		return parsed
	}
	whole := func(name, fallback string, low, high int) int {
		value := text(name, fallback)
		parsed, parseErr := strconv.Atoi(value)
		if err == nil && (parseErr != nil || parsed < low || parsed > high) {
			err = fmt.Errorf("%s must be a whole number from %d to %d, not %q", name, low, high, value)
		}
		return parsed
	}

	port := whole("PORT", "8002", 0, 65535)
	c.address = net.JoinHostPort(text("HOST", "127.0.0.1"), strconv.Itoa(port))
	c.dependencyTimeout = time.Duration(whole("DEPENDENCY_TIMEOUT_MS", "5000", 1, 600_000)) * time.Millisecond
	c.gatewayID = text("GATEWAY_ID", "gateway-1")
	c.tenantConcurrency = whole("TENANT_CONCURRENCY", "64", 1, 100_000)
	c.latencyScale = number("LATENCY_SCALE", "1.0", 0, 1000)
	if err != nil {
		return config{}, err
	}
	if c.databaseURL = getenv("DATABASE_URL"); c.databaseURL == "" {
		return config{}, fmt.Errorf("DATABASE_URL is required: postgresql://user:password@host:port/database")
	}
	c.flagsFile = getenv("FLAGS_FILE")
	address := getenv("PYTHON_SERVICE_URL")
	if c.pythonService, err = url.Parse(address); err != nil || c.pythonService.Host == "" ||
		(c.pythonService.Scheme != "http" && c.pythonService.Scheme != "https") {
		return config{}, fmt.Errorf("PYTHON_SERVICE_URL must be an http:// or https:// URL, not %q", address)
	}
	return c, nil
}
