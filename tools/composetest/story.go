package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const project = "packstone"

// story is what somebody does who tries packstone with the file.
type story struct {
	engine *engine
	root   string
}

type chapter struct {
	name string
	tell func(context.Context) error
}

func (s story) tell(ctx context.Context) error {
	for _, c := range []chapter{
		{"up", s.up},
		{"init", s.init},
		{"backup", s.backup},
		{"the page answers", s.page},
		{"prometheus has the metrics", s.prometheus},
		{"restore, and compare", s.restore},
		{"check", func(ctx context.Context) error { return s.packstone(ctx, "check", "--read-data") }},
		{"down", func(ctx context.Context) error { return s.compose(ctx, "down") }},
		{"up again, and the snapshot is there", s.again},
	} {
		if err := c.tell(ctx); err != nil {
			s.logs()
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Println("composetest:", c.name)
	}
	return nil
}

func (s story) up(ctx context.Context) error {
	if err := s.compose(ctx, "--profile", "monitoring", "up", "-d", "--no-build"); err != nil {
		return err
	}
	return until(ctx, "the database accepts rows", func() error {
		return s.compose(ctx, "exec", "-T", "database", "psql", "-U", "platform", "-v", "ON_ERROR_STOP=1", "-c", "create table if not exists runs as select generate_series(1, 1000) as id")
	})
}

func (s story) init(ctx context.Context) error {
	if err := s.packstone(ctx, "init"); err != nil {
		return err
	}
	return until(ctx, "the daemon is ready", func() error { _, err := get("http://127.0.0.1:8484/readyz", "", 200); return err })
}

func (s story) backup(ctx context.Context) error { return s.packstone(ctx, "backup", "platform") }

func (s story) page(context.Context) error {
	token, err := os.ReadFile(filepath.Join(s.root, "docs/examples/page-token"))
	if err != nil {
		return err
	}
	if _, err := get("http://127.0.0.1:8484/api/v1/overview", "no token of this page", 401); err != nil {
		return err
	}
	body, err := get("http://127.0.0.1:8484/", strings.TrimSpace(string(token)), 200)
	if err == nil && !strings.Contains(body, "platform") {
		err = fmt.Errorf("the page shows no set platform:\n%s", body)
	}
	return err
}

func (s story) prometheus(ctx context.Context) error {
	return until(ctx, "prometheus has asked", func() error {
		body, err := get("http://127.0.0.1:9090/api/v1/query?query=packstone_newest_complete_timestamp_seconds", "", 200)
		if err == nil && !strings.Contains(body, `"set":"platform"`) {
			shown, _ := get("http://127.0.0.1:8484/metrics", "", 200)
			err = fmt.Errorf("prometheus knows no set platform: %s\nthe daemon shows:\n%s", body, shown)
		}
		return err
	})
}

func (s story) restore(ctx context.Context) error {
	if err := s.packstone(ctx, "restore", "latest", "--set", "platform", "--target", "/restored"); err != nil {
		return err
	}
	found, err := s.engine.docker(ctx, "run", "--rm", "-v", project+"_restored:/restored:ro", "-v", filepath.Join(s.root, "docs")+":/docs:ro", "base",
		"sh", "-ec", "diff -r /docs /restored/files; diff -r /docs/examples /restored/settings/api; find /restored -name '*.sqlite'")
	if err != nil {
		return err
	}
	return s.compose(ctx, "run", "--rm", "-T", "-e", "PACKSTONE_DB_PASSWORD=only-for-trying", "packstone",
		"db", "verify", "--from", "postgres://platform@database/platform", "--against", strings.TrimSpace(found))
}

// again starts everything once more: the volumes have outlived the containers.
func (s story) again(ctx context.Context) error {
	if err := s.compose(ctx, "up", "-d", "--no-build"); err != nil {
		return err
	}
	return until(ctx, "there is a snapshot", func() error { return s.packstone(ctx, "ls", "latest") })
}

func (s story) end() { s.compose(context.Background(), "--profile", "monitoring", "down", "--volumes") }

// logs prints what containers have said.
func (s story) logs() {
	out, _ := output(s.engine.command(context.Background(), "docker-compose", "-p", project, "logs", "--no-color", "--tail", "20"))
	fmt.Fprintln(os.Stderr, out)
}

func (s story) packstone(ctx context.Context, args ...string) error {
	return s.compose(ctx, append([]string{"run", "--rm", "-T", "packstone"}, args...)...)
}

func (s story) compose(ctx context.Context, args ...string) error {
	cmd := s.engine.command(ctx, "docker-compose", append([]string{"-p", project}, args...)...)
	cmd.Dir = s.root
	_, err := output(cmd)
	return err
}

// get asks for an address, with a token where there is one, and wants a status.
func get(address, token string, want int) (string, error) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("%s answers %s, want %d", address, answer.Status, want)
	}
	return string(body), err
}
