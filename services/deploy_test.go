package services_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// What stands in deploy and in docker-compose.yml cannot be run by every test;
// here it is at least read, and held against what the program says of itself.

// words are what may stand after "baton up".
var words = []string{"intake", "qualification", "routing", "feedback", "console", "agreement", "audit", "delivery"}

// variables are the environment that the containers may be given.
var variables = []string{
	"BATON_NATS_URL", "BATON_REDIS_URL", "BATON_SQL_URL", "BATON_DATA", "BATON_KEYS",
	"BATON_HTTP", "BATON_CONSOLE", "BATON_GRPC", "BATON_METRICS", "BATON_PEERS", "BATON_PUBLIC_URL", "BATON_CONSOLE_URL", "BATON_SMTP_URL",
	"OTEL_EXPORTER_OTLP_ENDPOINT",
	"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
}

type composition struct {
	Services map[string]composed `yaml:"services"`
	Volumes  map[string]any      `yaml:"volumes"`
}

type composed struct {
	Image       string            `yaml:"image"`
	Build       map[string]string `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	DependsOn   map[string]any    `yaml:"depends_on"`
	Restart     string            `yaml:"restart"`
	Healthcheck map[string]any    `yaml:"healthcheck"`
	Networks    map[string]any    `yaml:"networks"`
}

// exact says what is wrong with the tag of an image, if anything.
func exact(image string) string {
	name, tag, tagged := strings.Cut(image, ":")
	parts := 3
	if name == "postgres" {
		parts = 2 // its whole version is 17.6
	}
	whole := regexp.MustCompile(fmt.Sprintf(`^v?\d+(\.\d+){%d}(-[a-z][a-z0-9.]*)?$`, parts-1))
	switch {
	case !tagged:
		return "has no tag"
	case !whole.MatchString(tag):
		return "has a tag that moves"
	}
	return ""
}

// wrong answers everything that a composition gets wrong, as sentences.
func wrong(c composition, exists func(path string) bool) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		if fault := exact(s.Image); fault != "" {
			say("%s: image %q %s: what runs tomorrow must be what was tried today", name, s.Image, fault)
		}
		for _, variable := range slices.Sorted(maps.Keys(s.Environment)) {
			if !slices.Contains(variables, variable) {
				say("%s: nobody reads the variable %s", name, variable)
			}
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(from, ".") {
				if !exists(from) {
					say("%s: there is no %s", name, from)
				}
			} else if _, declared := c.Volumes[from]; !declared {
				say("%s: the volume %s is not declared", name, from)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				say("%s: port %s is open to the whole network", name, port)
			}
		}
		for other := range s.DependsOn {
			if _, there := c.Services[other]; !there {
				say("%s: depends on %s, which is not there", name, other)
			}
		}
		if s.Build == nil {
			continue
		}
		if len(s.Command) < 2 || s.Command[0] != "up" || slices.ContainsFunc(s.Command[1:], func(word string) bool { return !slices.Contains(words, word) }) {
			say("%s: the command %q is not \"up\" and services", name, s.Command)
		}
		if !exists(s.Build["dockerfile"]) {
			say("%s: there is no %s", name, s.Build["dockerfile"])
		}
		if !slices.ContainsFunc(s.Volumes, func(v string) bool { return v == "keys:"+s.Environment["BATON_KEYS"] }) {
			say("%s: does not share the keys: what others sealed it cannot open", name)
		}
	}
	return out
}

func readDeploy(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCompose(t *testing.T) {
	var c composition
	if err := yaml.UnmarshalWithOptions([]byte(readDeploy(t, "docker-compose.yml")), &c, yaml.AllowFieldPrefixes("x-"), yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, sentence := range wrong(c, func(path string) bool {
		_, err := os.Stat(filepath.Join("..", path))
		return err == nil
	}) {
		t.Error(sentence)
	}
	for _, name := range []string{"intake", "qualification", "routing", "routing-standby", "feedback", "console", "nats", "redis", "postgres", "jaeger"} {
		if _, there := c.Services[name]; !there {
			t.Errorf("%s is missing", name)
		}
	}
	for name, s := range c.Services {
		if s.Build != nil && (len(s.Command) < 2 || s.Command[1] != strings.TrimSuffix(name, "-standby")) {
			t.Errorf("%s: is told to be %q", name, s.Command)
		}
	}
	if !regexp.MustCompile(`github\.com/nats-io/nats-server/v2 v` + strings.TrimPrefix(c.Services["nats"].Image, "nats:") + `\b`).MatchString(readDeploy(t, "services/go.mod")) {
		t.Errorf("%s is not the server that the program embeds", c.Services["nats"].Image)
	}
	if image := c.Services["jaeger"].Image; !strings.HasPrefix(image, "jaegertracing/jaeger:2.") {
		t.Errorf("%s: is not Jaeger 2", image)
	}
}

// The program must know every variable that its containers are given.
func TestVariablesAreRead(t *testing.T) {
	sources, err := filepath.Glob("baton/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range sources {
		text.WriteString(readDeploy(t, "services/"+filepath.ToSlash(name)))
	}
	if len(sources) == 0 {
		t.Fatal("no source of the command in services/baton")
	}
	var c composition
	if err := yaml.Unmarshal([]byte(readDeploy(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range c.Services {
		if s.Build == nil {
			continue
		}
		for variable := range s.Environment {
			seen[variable] = true
		}
	}
	if len(seen) < 3 {
		t.Fatalf("found only the variables %v", seen)
	}
	for _, variable := range slices.Sorted(maps.Keys(seen)) {
		// Written out, or as a field's tag that gets the prefix.
		short := regexp.MustCompile(`env:"` + strings.TrimPrefix(variable, "BATON_") + `[",]`)
		if !strings.Contains(text.String(), variable) && !short.MatchString(text.String()) {
			t.Errorf("docker-compose.yml sets %s, but nothing in services/baton reads it", variable)
		}
	}
}

func TestComposeFaultsAreFound(t *testing.T) {
	good := func() composition {
		return composition{
			Services: map[string]composed{
				"intake": {
					Image: "leadbaton/baton:0.1.0", Build: map[string]string{"dockerfile": "deploy/Dockerfile"},
					Command: []string{"up", "intake"}, Environment: map[string]string{"BATON_KEYS": "/keys"},
					Volumes: []string{"keys:/keys"}, Ports: []string{"127.0.0.1:8080:8080"}, DependsOn: map[string]any{"nats": nil},
				},
				"nats": {Image: "nats:2.15.2", Volumes: []string{"./deploy/nats.conf:/etc/nats.conf"}},
			},
			Volumes: map[string]any{"keys": nil},
		}
	}
	exists := func(path string) bool { return strings.Contains(path, "deploy/") }
	if got := wrong(good(), exists); len(got) > 0 {
		t.Fatal(got)
	}
	for want, spoil := range map[string]func(*composed){
		"has no tag":                 func(s *composed) { s.Image = "nats" },
		"a tag that moves":           func(s *composed) { s.Image = "nats:latest" },
		"\"nats:2\" has a tag":       func(s *composed) { s.Image = "nats:2" },
		"\"nats:2.15\" has a tag":    func(s *composed) { s.Image = "nats:2.15" },
		"\"nats:2-alpine\" has a":    func(s *composed) { s.Image = "nats:2-alpine" },
		"\"postgres:17\" has a":      func(s *composed) { s.Image = "postgres:17" },
		"reads the variable BATON_X": func(s *composed) { s.Environment = map[string]string{"BATON_KEYS": "/keys", "BATON_X": "1"} },
		"is not \"up\"":              func(s *composed) { s.Command = []string{"up", "outtake"} },
		"\"serve\"":                  func(s *composed) { s.Command = []string{"serve", "intake"} },
		"share the keys":             func(s *composed) { s.Volumes = nil },
		"volume data is not":         func(s *composed) { s.Volumes = append(s.Volumes, "data:/data") },
		"no ./nowhere":               func(s *composed) { s.Volumes = append(s.Volumes, "./nowhere:/x") },
		"no Elsewhere":               func(s *composed) { s.Build = map[string]string{"dockerfile": "Elsewhere"} },
		"whole network":              func(s *composed) { s.Ports = []string{"8080:8080"} },
		"depends on kafka":           func(s *composed) { s.DependsOn = map[string]any{"kafka": nil} },
	} {
		c := good()
		s := c.Services["intake"]
		spoil(&s)
		c.Services["intake"] = s
		if got := strings.Join(wrong(c, exists), "\n"); !strings.Contains(got, want) {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

func TestNATSConfiguration(t *testing.T) {
	conf := regexp.MustCompile(`(?m)#.*$`).ReplaceAllString(readDeploy(t, "deploy/nats.conf"), "")
	stream := regexp.MustCompile(`(?s)jetstream\s*\{(.*?)\}`).FindStringSubmatch(conf)
	if stream == nil {
		t.Fatal("no jetstream block in deploy/nats.conf")
	}
	for _, line := range []string{`sync_interval:\s*always`, `store_dir:\s*/data`, `max_file_store:\s*\d+`} {
		if !regexp.MustCompile(`(?m)^\s*` + line).MatchString(stream[1]) {
			t.Errorf("deploy/nats.conf: no %s in the jetstream block", line)
		}
	}
	embedded := regexp.MustCompile(`maxPayload = (\d+) << 20`).FindStringSubmatch(readDeploy(t, "services/internal/ledger/embed.go"))
	payload := regexp.MustCompile(`(?m)^max_payload:\s*(\d+)`).FindStringSubmatch(conf)
	if embedded == nil || payload == nil {
		t.Fatal("the largest message is stated in deploy/nats.conf or services/internal/ledger/embed.go in a way that this test does not know")
	}
	var mebibytes, bytes int
	if _, err := fmt.Sscan(embedded[1], &mebibytes); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(payload[1], &bytes); err != nil {
		t.Fatal(err)
	}
	if bytes != mebibytes<<20 {
		t.Errorf("the largest message is %d bytes in deploy/nats.conf and %d in the embedded server", bytes, mebibytes<<20)
	}
}

func TestDockerfile(t *testing.T) {
	text := readDeploy(t, "deploy/Dockerfile")
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindStringSubmatch(readDeploy(t, "go.work"))
	if toolchain == nil {
		t.Fatal("go.work names no toolchain")
	}
	for _, line := range []string{
		`^FROM golang:` + regexp.QuoteMeta(toolchain[1]) + `-\w+ AS build$`,
		`^ENV GOWORK=off`,
		`^COPY proto proto$`,
		`^COPY services services$`,
		`^FROM scratch$`,
		`^USER [1-9]\d*:[1-9]\d*$`,
		`^ENTRYPOINT \["/baton"\]$`,
	} {
		if !regexp.MustCompile(`(?m)` + line).MatchString(text) {
			t.Errorf("deploy/Dockerfile: no line like %s", line)
		}
	}
}
