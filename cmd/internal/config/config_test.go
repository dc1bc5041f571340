package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/packstone/packstone/cmd/internal/hook"
)

const full = `# settings of a platform
version: 1
repository: s3://offsite/corridor
keys:
  writer_file: keys/writer.key
sources:
  metadata: {type: database, url_file: /run/secrets/metadata-url}
  local: {type: database, url: "sqlite:app.db"}
  oracle: {type: command, command: [expdp, 5, "${DUMP:-full}"], name: metadata.dmp}
  files: {type: files, path: /srv/files, exclude: ["*.tmp"], one_file_system: true}
  lake:
    type: lake
    path: "${LAKE}/output"
  settings:
    type: settings
    components: {api: /opt/api/instance, app_worker: worker}
sets:
  platform:
    sources: [metadata, files, lake, settings]
    hooks:
      before: [systemctl, stop, app]
      finally: [[systemctl, start, app], [logger, "$${done}"]]
    schedule: "30 2 * * *"
    time_zone: Europe/Berlin
    jitter: 15m
    retry_for: 2h
    max_age: 26h
jobs:
  forget: {schedule: "@hourly"}
  prune: {schedule: "@weekly", max_duration: 3h}
  check: {schedule: "@daily", read_data: 2%}
`

func environment(pairs ...string) Lookup {
	return func(name string) (string, bool) {
		for _, pair := range pairs {
			if key, value, _ := strings.Cut(pair, "="); key == name {
				return value, true
			}
		}
		return "", false
	}
}

func parseFull(t *testing.T) *Config {
	t.Helper()
	c, err := Parse("/etc/packstone/packstone.yaml", []byte(full), environment("LAKE=/srv/lake"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseReadsEverySetting(t *testing.T) {
	want := &Config{
		Version:    1,
		Repository: "s3://offsite/corridor",
		Keys:       Keys{WriterFile: "/etc/packstone/keys/writer.key"},
		Sources: map[string]Source{
			"metadata": {"database", &Database{URLFile: "/run/secrets/metadata-url"}},
			"local":    {"database", &Database{URL: "sqlite:/etc/packstone/app.db"}},
			"oracle":   {"command", &Command{Command: []string{"expdp", "5", "full"}, Name: "metadata.dmp"}},
			"files":    {"files", &Files{Path: "/srv/files", Exclude: []string{"*.tmp"}, OneFileSystem: true}},
			"lake":     {"lake", &Lake{Path: "/srv/lake/output"}},
			"settings": {"settings", &Components{Components: map[string]string{"api": "/opt/api/instance", "app_worker": "/etc/packstone/worker"}}},
		},
		Sets: map[string]Set{"platform": {
			Sources: []string{"metadata", "files", "lake", "settings"},
			Hooks: hook.Hooks{
				Before:  hook.Commands{{"systemctl", "stop", "app"}},
				Finally: hook.Commands{{"systemctl", "start", "app"}, {"logger", "${done}"}},
			},
			Timing: Timing{Schedule: "30 2 * * *", TimeZone: "Europe/Berlin", Jitter: "15m", RetryFor: "2h"},
			MaxAge: "26h",
		}},
		Jobs: Jobs{
			Forget: ForgetJob{Timing{Schedule: "@hourly"}},
			Prune:  PruneJob{Timing{Schedule: "@weekly"}, "3h"},
			Check:  CheckJob{Timing{Schedule: "@daily"}, "2%", "", false},
		},
	}
	if diff := cmp.Diff(want, parseFull(t), cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatIsShownReadsAsTheSameSettings(t *testing.T) {
	c := parseFull(t)
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("${done}"), []byte("$${done}"))
	again, err := Parse("/elsewhere/x.yaml", text, environment())
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(c, again, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestProblemsNameFileLineAndCure(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty file", "", "f.yaml:1: the file is empty; it begins with version: 1"},
		{"comments only", "# nothing\n", "f.yaml:1: the file is empty; it begins with version: 1"},
		{"not a mapping", "hello\n", `f.yaml:1: expected key: value, found "hello"`},
		{"no version", "repository: /x\n", "f.yaml:1: version is missing"},
		{"version of tomorrow", "version: 2\n", "f.yaml:1: version: is 2; this program reads version 1"},
		{"version of letters", "version: one\n", `f.yaml:1: version: expected a whole number, found "one"`},
		{"unknown setting", "version: 1\nrepositry: /x\n", `f.yaml:2: unknown setting "repositry"; here these are known: bandwidth, host, ionice, jobs, keys, metadata_storage_class, metrics, nice, notify, repositories, repository, serve, sets, sources, storage_class, version`},
		{"setting of later", "version: 1\nsources: {f: {type: files, path: /f}}\nsets:\n  p:\n    sources: [f]\n    shedule: daily\n",
			`f.yaml:6: unknown setting "shedule"; in sets.p these are known: drill, hooks, jitter, max_age, not_backed_up, references, retention, retry_for, schedule, sources, time_zone, to, tripwire`},
		{"unknown setting of a source", "version: 1\nsources:\n  f:\n    type: files\n    path: /x\n    pathh: /y\n", `f.yaml:6: unknown setting "pathh"; in sources.f these are known: allow_empty, ca_file, connections, exclude, exclude_caches, exclude_if_present, ignore_inode, key_file, known_hosts, one_file_system, passphrase_file, password_file, path, type, url, url_file`},
		{"setting of another type", "version: 1\nsources:\n  f: {type: files, path: /x, components: y}\n", `f.yaml:3: unknown setting "components"; in sources.f these are known: allow_empty, ca_file, connections, exclude, exclude_caches, exclude_if_present, ignore_inode, key_file, known_hosts, one_file_system, passphrase_file, password_file, path, type, url, url_file`},
		{"set twice", "version: 1\nversion: 1\n", `f.yaml:2: mapping key "version" already defined at [1:1]`},
		{"list wanted", "version: 1\nsources: {f: {type: files, path: /x, exclude: '*.tmp'}}\n", `f.yaml:2: sources.f.exclude: expected a list, found "*.tmp"`},
		{"text wanted", "version: 1\nrepository: [a]\n", "f.yaml:2: repository: expected a text, found a list"},
		{"nothing there", "version: 1\nrepository:\n", "f.yaml:2: repository: expected a text, found nothing"},
		{"unknown type", "version: 1\nsources:\n  f: {type: tape}\n", "f.yaml:3: sources.f: type must be one of command, database, files, lake, settings"},
		{"no type", "version: 1\nsources:\n  f: {path: /x}\n", "f.yaml:3: sources.f: type must be one of command, database, files, lake, settings"},
		{"path missing", "version: 1\nsources:\n  f: {type: files}\n", "f.yaml:3: sources.f: set one of path, url and url_file"},
		{"path and URL", "version: 1\nsources:\n  f: {type: files, path: /x, url: 'ftp://h/'}\n", "f.yaml:3: sources.f: set one of path, url and url_file"},
		{"server's setting with a path", "version: 1\nsources:\n  f:\n    type: files\n    path: /x\n    known_hosts: y\n", "f.yaml:6: sources.f.known_hosts: cannot be used with path, which is on this machine"},
		{"path's setting on a server", "version: 1\nsources:\n  f:\n    type: files\n    url: ftp://h/\n    one_file_system: true\n", "f.yaml:6: sources.f.one_file_system: cannot be used on a server"},
		{"setting of another protocol", "version: 1\nsources:\n  f:\n    type: files\n    url: sftp://h/\n    ca_file: x\n", "f.yaml:6: sources.f.ca_file: cannot be used with sftp://"},
		{"password in a URL", "version: 1\nsources:\n  f: {type: files, url: 'ftp://u:hunter2@h/'}\n", "f.yaml:3: sources.f.url: holds a password; put that into a file for password_file, or the whole URL into one for url_file"},
		{"URL of another kind", "version: 1\nsources:\n  f: {type: files, url: 'http://h/'}\n", "f.yaml:3: sources.f.url: http://: want ftp://, ftpes://, ftps:// or sftp://"},
		{"bad pattern on a server", "version: 1\nsources:\n  f: {type: files, url: 'ftp://h/', exclude: ['[']}\n", `f.yaml:3: sources.f: exclude pattern "[": its class has no end: for a bracket itself, write \[`},
		{"passphrase of no key", "version: 1\nsources:\n  f: {type: files, url: 'sftp://h/', passphrase_file: x}\n", "f.yaml:3: sources.f.passphrase_file: is the passphrase of a key, but there is no key_file"},
		{"yes or no", "version: 1\nsources:\n  f: {type: files, path: /x, allow_empty: yes}\n", `f.yaml:3: sources.f.allow_empty: expected true or false, found "yes"`},
		{"bad pattern", "version: 1\nsources:\n  f: {type: files, path: /x, exclude: ['[']}\n", `f.yaml:3: sources.f: exclude pattern "[": its class has no end: for a bracket itself, write \[`},
		{"unset variable", "version: 1\nrepository: /x/${NOPE}\n", "f.yaml:2: repository: the variable NOPE is not set; set it, or give a default: ${NOPE:-…}"},
		{"odd variable", "version: 1\nrepository: /x/${a-b}\n", "f.yaml:2: repository: ${a-b}: want ${VARIABLE} or ${VARIABLE:-default}; write $${ for ${ itself"},
		{"open variable", "version: 1\nrepository: /x/${A\n", "f.yaml:2: repository: ${A has no closing brace; write $${ for ${ itself"},
		{"anchor", "version: 1\nsources: &s {}\n", "f.yaml:2: anchors, aliases and merges are not supported; write the value out"},
		{"tag", "version: 1\nrepository: !!str x\n", "f.yaml:2: tags and directives are not supported"},
		{"second document", "version: 1\n---\nversion: 1\n", "f.yaml:3: a second document begins here; settings are one document"},
		{"source of a set", "version: 1\nsources: {f: {type: files, path: /x}}\nsets:\n  p: {sources: [g]}\n", `f.yaml:4: sets.p.sources: there is no source "g"; these are known: f`},
		{"source twice", "version: 1\nsources: {f: {type: files, path: /x}}\nsets:\n  p: {sources: [f, f]}\n", `f.yaml:4: sets.p.sources: the source "f" is listed twice`},
		{"empty set", "version: 1\nsets:\n  p: {sources: []}\n", "f.yaml:3: sets.p.sources: names no source"},
		{"one name for two", "version: 1\nsources: {f: {type: files, path: /x}}\nsets:\n  f: {sources: [f]}\n", "f.yaml:4: sets.f: a source has this name too; backup f would be ambiguous"},
		{"name of a source", "version: 1\nsources:\n  a/b: {type: files, path: /x}\n", `f.yaml:3: sources.a/b: the name "a/b" is not allowed; use up to 64 letters, digits, dots, dashes and underscores`},
		{"both URLs", "version: 1\nsources:\n  d: {type: database, url: 'sqlite:x', url_file: y}\n", "f.yaml:3: sources.d: set one of url and url_file"},
		{"unknown database", "version: 1\nsources:\n  d: {type: database, url: 'mongodb://x/y'}\n",
			"f.yaml:3: sources.d.url: there is no kind of database mongodb:; use one of mariadb, mysql, oracle, postgres, postgresql, sqlite, sqlserver"},
		{"lake elsewhere", "version: 1\nsources:\n  l: {type: lake, path: 'gs://x/y'}\n", "f.yaml:3: sources.l.path: gs://x/y: want s3://bucket/prefix or minio+https://host/bucket/prefix"},
		{"lake with half its keys", "version: 1\nsources:\n  l: {type: lake, path: 's3://lake/y', access_key_file: k}\n", "f.yaml:3: sources.l: set both of access_key_file and secret_key_file, or none"},
		{"lake as of nonsense", "version: 1\nsources:\n  l: {type: lake, path: 's3://lake/y', as_of: noon}\n", `f.yaml:3: sources.l.as_of: "noon" is neither latest nor a time like 2026-11-20T14:00:00Z`},
		{"directory with keys", "version: 1\nsources:\n  l: {type: lake, path: /lake, region: x}\n", "f.yaml:3: sources.l.region: cannot be used with a directory"},
		{"keys in a lake's address", "version: 1\nsources:\n  l: {type: lake, path: 'minio+http://u:hunter2@h/lake'}\n", "f.yaml:3: sources.l.path: minio+http://u:xxxxx@h/lake: an address can't hold keys; put them into files or the environment"},
		{"secret in an address", "version: 1\nrepository: s3://key:secret@bucket/x\n", "f.yaml:2: repository: repository s3://key:xxxxx@bucket/x: an address can't hold keys; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or PACKSTONE_S3_ACCESS_KEY_FILE and PACKSTONE_S3_SECRET_KEY_FILE"},
		{"secret key for a recipient", "version: 1\nkeys: {recipients: [AGE-SECRET-KEY-1XXXX]}\n", "f.yaml:2: keys.recipients: number 1: parse recipient: this is a secret key (an identity), not a recipient"},
		{"hook of words", "version: 1\nsources: {f: {type: files, path: /x}}\nsets:\n  p:\n    sources: [f]\n    hooks: {before: reboot}\n",
			`f.yaml:6: sets.p.hooks.before: expected a command as in [systemctl, stop, app], or a list of commands; found "reboot"`},
		{"hook without command", "version: 1\nsources: {f: {type: files, path: /x}}\nsets:\n  p:\n    sources: [f]\n    hooks:\n      before: []\n", "f.yaml:7: sets.p.hooks.before: a command is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(test.text), environment())
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q: got error %v, want one that wraps ErrInvalid", test.text, err)
			}
			if err.Error() != test.want {
				t.Errorf("%q\n got %s\nwant %s", test.text, err, test.want)
			}
		})
	}
}

func TestProblemsOfSchedulesNameThePlaceAndTheCure(t *testing.T) {
	const head = "version: 1\nsources: {f: {type: files, path: /x}}\nsets:\n  p:\n    sources: [f]\n"
	const form = "; write minute, hour, day, month and weekday as in crontab, such as \"30 2 * * *\", or @hourly, @daily, @weekly, @monthly, @every 6h"
	tests := []struct{ name, text, want string }{
		{"not a schedule", head + "    schedule: daily\n", `f.yaml:6: sets.p.schedule: "daily" is not a schedule: expected 5 to 6 fields, found 1: [daily]` + form},
		{"never", head + "    schedule: 0 0 30 2 *\n", `f.yaml:6: sets.p.schedule: "0 0 30 2 *" never comes`},
		{"zone in it", head + "    schedule: TZ=UTC 0 0 * * *\n", `f.yaml:6: sets.p.schedule: a time zone is a setting of its own: time_zone`},
		{"zone", head + "    schedule: \"@daily\"\n    time_zone: Berlin\n", `f.yaml:7: sets.p.time_zone: "Berlin" is not a time zone; write it as Europe/Berlin or UTC`},
		{"jitter alone", head + "    jitter: 5m\n", `f.yaml:6: sets.p.jitter: needs a schedule`},
		{"age", head + "    max_age: 1 day\n", `f.yaml:6: sets.p.max_age: "1 day" is not a time: want 0, or a time such as 12h or 3d`},
		{"no age", head + "    max_age: 0\n", `f.yaml:6: sets.p.max_age: is 0; leave it out instead`},
		{"job without schedule", "version: 1\njobs:\n  prune: {}\n", `f.yaml:3: jobs.prune: schedule is missing`},
		{"unknown job", "version: 1\njobs:\n  dance: {schedule: \"@daily\"}\n", `f.yaml:3: unknown setting "dance"; in jobs these are known: check, copy, drill, forget, keep, prune`},
		{"share", "version: 1\njobs:\n  check: {schedule: \"@daily\", read_data: 2}\n", `f.yaml:3: jobs.check.read_data: "2" is not a percentage: want a share such as 2%`},
	}
	for _, test := range tests {
		if _, err := Parse("f.yaml", []byte(test.text), environment()); err == nil || err.Error() != test.want {
			t.Errorf("%s\n got %v\nwant %s", test.name, err, test.want)
		}
	}
}

func TestAProblemIsToldOfASettingThatWasRead(t *testing.T) {
	if got, want := parseFull(t).ProblemAt("jobs.prune", "no key").String(), "/etc/packstone/packstone.yaml:30: jobs.prune: no key"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestASyntaxErrorHasItsLine(t *testing.T) {
	for text, line := range map[string]string{
		"version: 1\nkeys: {a: b\n":              "f.yaml:2: ",
		"version: 1\nsources:\n\tfiles: x\n":     "f.yaml:3: ",
		"version: 1\nrepository: \"unfinished\n": "f.yaml:2: ",
	} {
		_, err := Parse("f.yaml", []byte(text), environment())
		if !errors.Is(err, ErrInvalid) || !strings.HasPrefix(err.Error(), line) {
			t.Errorf("%q: got %v, want a problem at %s", text, err, line)
		}
	}
}

func TestAllProblemsAreToldAtOnceInTheOrderOfTheFile(t *testing.T) {
	_, err := Parse("f.yaml", []byte("version: 1\nsources:\n  b: {type: tape}\n  a: {type: settings}\nrepo: x\n"), environment())
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if want := []int{3, 4, 5}; !reflect.DeepEqual(lines, want) {
		t.Errorf("got problems at lines %v, want %v: %v", lines, want, err)
	}
}

func TestAVariableIsNotExpandedAgain(t *testing.T) {
	c, err := Parse("f.yaml", []byte("version: 1\nrepository: /x/${A}/${B:-c}/$HOME\n"), environment("A=${B}: [", "B="))
	if err != nil {
		t.Fatal(err)
	}
	if want := "/x/${B}: [/c/$HOME"; c.Repository != want {
		t.Errorf("got %q, want %q", c.Repository, want)
	}
}

func TestShowHidesSecrets(t *testing.T) {
	text := "version: 1\nsources:\n" +
		"  a: {type: database, url: \"postgres://me:${DB_PASSWORD}@db/x\"}\n" +
		"  b: {type: database, url: \"mysql://me:literal@db/x?password=other&y=1\"}\n" +
		"  c: {type: command, name: x, command: [dump, \"--auth=${API_TOKEN}\"]}\n"
	c, err := Parse("f.yaml", []byte(text), Redact(environment("DB_PASSWORD=hidden1", "API_TOKEN=hidden2")))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hidden1", "hidden2", "literal", "other"} {
		if bytes.Contains(shown, []byte(secret)) {
			t.Errorf("%q shows in\n%s", secret, shown)
		}
	}
	if !bytes.Contains(shown, []byte("postgres://me:xxxxx@db/x")) {
		t.Errorf("the rest of the URL is gone:\n%s", shown)
	}
}

func TestParseRepositoryTakesAddressesApart(t *testing.T) {
	tests := map[string]Repository{
		"/srv/backup":                   {Kind: Local, Path: "/srv/backup"},
		"relative/":                     {Kind: Local, Path: "relative"},
		"file:///srv/back%20":           {Kind: Local, Path: "/srv/back "},
		"s3://bucket":                   {Kind: S3, Bucket: "bucket"},
		"s3://bucket/a/b/":              {Kind: S3, Bucket: "bucket", Prefix: "a/b"},
		"minio+https://h:9000/bucket/p": {Kind: Minio, Endpoint: "https://h:9000", Bucket: "bucket", Prefix: "p"},
		"minio+http://[::1]:9/bucket":   {Kind: Minio, Endpoint: "http://[::1]:9", Bucket: "bucket"},
		"sftp://me@h:2222/srv/b/":       {Kind: SFTP, Remote: Remote{Scheme: "sftp", User: "me", Host: "h", Port: 2222, Path: "/srv/b"}},
		"sftp://h/~/b":                  {Kind: SFTP, Remote: Remote{Scheme: "sftp", Host: "h", Path: "b"}},
		"sftp://[::1]/a%20b":            {Kind: SFTP, Remote: Remote{Scheme: "sftp", Host: "::1", Path: "/a b"}},
	}
	for address, want := range tests {
		got, err := ParseRepository(address)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", address, got, err, want)
		}
		again, err := ParseRepository(got.String())
		if err != nil || again != got {
			t.Errorf("%s: String gives %s, which is %+v, %v", address, got, again, err)
		}
	}
}

func TestParseRepositoryUnderstandsRestic(t *testing.T) {
	for address, want := range map[string]string{
		"s3:s3.amazonaws.com/bucket/a": "s3://bucket/a", "s3:s3.eu-central-1.amazonaws.com/bucket": "s3://bucket",
		"s3:minio.example.org:9000/bucket/a": "minio+https://minio.example.org:9000/bucket/a", "s3:https://h/bucket": "minio+https://h/bucket",
		"s3:http://localhost:9000/bucket/a": "minio+http://localhost:9000/bucket/a", "./s3:x": "./s3:x", "sub/b:c": "sub/b:c",
	} {
		if got, err := ParseRepository(address); err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v, want %s", address, got, err, want)
		}
	}
	for address, want := range map[string]string{
		"sftp:me@h:/srv/b": "write sftp://me@h/srv/b", "sftp:h:b": "write sftp://h/~/b", "b2:bucket": "backblazeb2.com", "me@h:/srv": "./me@h:/srv",
	} {
		if _, err := ParseRepository(address); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
}

func TestParseRepositoryRefuses(t *testing.T) {
	for _, address := range []string{
		"", "file://srv/x", "file:///", "s3://", "s3:///x", "s3://UPPER/x", "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/x?y=1",
		"minio+https:///bucket", "minio+https://host", "https://host/bucket", "ftp://host/x", "s3://k:s@bucket/x", "s3://bu%zzcket",
		"sftp://host", "sftp://host/", "sftp://host/~/", "sftp:///x", "sftp://me:hunter2@host/x", "sftp://host/../x", "sftp://host/x?y", "sftp://host:99999/x",
		"sftp://me:hunter2@host:x/y", "s3:k:hunter2@host/bucket", "b2:bucket", "azure:x:/y", "gs:x", "rclone:me:hunter2@x", "swift:x:/y", "rest:https://me:hunter2@h/",
		"sftp:me@h:/srv", "s3:bucket/x", "s4:bucket", "me@h:/srv", "http://h/x",
	} {
		if got, err := ParseRepository(address); err == nil && address != "file:///" || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%q: got %+v, %v, want an error without secrets", address, got, err)
		}
	}
}

func TestTheSchemaTakesWhatTheParserTakes(t *testing.T) {
	text, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) error {
		asJSON, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	if err := validate(strings.ReplaceAll(full, "expdp, 5,", "expdp,")); err != nil {
		t.Errorf("the schema refuses good settings: %v", err)
	}
	for _, bad := range []string{"version: 2", "version: 1\nrepo: x", "version: 1\nsources: {f: {type: files}}", "version: 1\nsources: {f: {type: tape, path: x}}"} {
		if err := validate(bad); err == nil {
			t.Errorf("the schema takes %q", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("version: 1\nsources:\n  a: {type: files, path: ${X}}\n"))
	f.Add([]byte("a: &b [*b]\n<<: *b\n--- !!x\n? [a]: b\n"))
	f.Add([]byte("{a: |\n x\n, 1: 2, ~: ~}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("f.yaml", text, environment("X=1"))
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v does not wrap ErrInvalid", err)
			}
			return
		}
		if _, err := c.YAML(); err != nil {
			t.Fatalf("show %q: %v", text, err)
		}
	})
}
