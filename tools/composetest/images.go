package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// standIns are the images that the file names, made of the base. They behave as the real ones where
// the file relies on it: in what they start, and in the variables that they know.
var standIns = map[string]string{
	"busybox:1.37": "",
	"versity/versitygw:v1.8.0": `COPY versitygw /usr/bin/versitygw
ENTRYPOINT ["sh", "-c", "exec versitygw \"$VGW_BACKEND\" \"$VGW_BACKEND_ARG\""]
`,
	"prom/prometheus:v3.7.3": `ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
`,
	"postgres:17": `ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
COPY postgres.sh /
ENTRYPOINT ["sh", "/postgres.sh"]
`,
}

// postgres does what the entry point of the official image does on the first start.
const postgres = `set -e
chown postgres $PGDATA
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
if [ ! -s $PGDATA/PG_VERSION ]; then
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  as initdb -U "$POSTGRES_USER" --auth-host=scram-sha-256 --pwfile=/tmp/password --no-sync
  echo 'host all all all scram-sha-256' >>$PGDATA/pg_hba.conf
  as pg_ctl -w start -o "-c listen_addresses= -k /tmp"
  as createdb -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB"
  as pg_ctl -w stop
fi
mkdir -p /var/run/postgresql && chown postgres /var/run/postgresql
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -c listen_addresses='*'
`

func (o options) makeImages(ctx context.Context, e *engine, dir string) error {
	if err := o.makeBase(ctx); err != nil {
		return err
	}
	if _, err := e.docker(ctx, "import", o.base, "base"); err != nil {
		return err
	}
	for image, lines := range standIns {
		err := e.build(ctx, filepath.Join(dir, strings.NewReplacer("/", "-", ":", "-").Replace(image)), image, "FROM base\n"+lines, map[string]string{"versitygw": o.gateway})
		if err != nil {
			return err
		}
	}
	dockerfile, err := os.ReadFile("Dockerfile")
	if err != nil {
		return err
	}
	lines, err := withProgram(string(dockerfile))
	if err != nil {
		return err
	}
	return e.build(ctx, filepath.Join(dir, "packstone"), "packstone", lines, map[string]string{"program": o.packstone})
}

// withProgram is the Dockerfile with a first stage that takes a program that was built before.
func withProgram(dockerfile string) (string, error) {
	_, prepare, found := strings.Cut(dockerfile, "\nRUN mkdir")
	if !found {
		return "", fmt.Errorf("the Dockerfile has no line RUN mkdir")
	}
	return "FROM base AS build\nCOPY program /packstone\nRUN mkdir" + prepare, nil
}

// makeBase makes the file system of Debian that all images are made of, unless it was kept.
func (o options) makeBase(ctx context.Context) error {
	if _, err := os.Stat(o.base); err == nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "composetest-base")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Println("composetest: debootstrap, some minutes")
	with := "--include=ca-certificates,tzdata,postgresql,prometheus"
	if _, err := output(exec.CommandContext(ctx, "debootstrap", "--variant=minbase", with, "bookworm", dir)); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, "tar", "-C", dir, "--exclude=./var/cache/apt", "--exclude=./var/lib/apt/lists", "-cf", o.base+".new", ".")); err != nil {
		return err
	}
	return os.Rename(o.base+".new", o.base)
}

// build makes an image from a Dockerfile and programs that lie beside it.
func (e *engine) build(ctx context.Context, dir, image, dockerfile string, programs map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"Dockerfile": dockerfile, "postgres.sh": postgres} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, file := range programs {
		if !strings.Contains(dockerfile, "COPY "+name) {
			continue
		}
		program, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
			return err
		}
	}
	_, err := e.docker(ctx, "build", "-t", image, dir)
	return err
}
