package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	probeTimeout = 3 * time.Second
	indexTimeout = 15 * time.Second
	answerBytes  = 4096
)

// probe is a container's health check. Redirects count as they end.
func probe(url string) error {
	client := http.Client{Timeout: probeTimeout}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, answerBytes))
		return fmt.Errorf("GET %s answered %s: %s", url, answer.Status, bytes.TrimSpace(said))
	}
	return nil
}

// makeIndex posts the index file to a Quickwit that is healthy. An unknown index is an error for each export, so this
// comes before the first one.
func makeIndex(url, file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	client := http.Client{Timeout: indexTimeout}
	answer, err := client.Post(url, "application/yaml", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, answerBytes))
	if err != nil {
		return fmt.Errorf("POST %s: %w", url, err)
	}
	switch {
	case answer.StatusCode/100 == 2:
		fmt.Println("made the index of", file)
	case answer.StatusCode/100 == 4 && strings.Contains(string(said), "already exist"):
		fmt.Println("the index of", file, "is there")
	default:
		return fmt.Errorf("%s was refused: POST %s answered %s: %s", file, url, answer.Status, bytes.TrimSpace(said))
	}
	return nil
}
