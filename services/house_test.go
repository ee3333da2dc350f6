package services_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house: which room may know what. They are read from the
// source, so that nothing has to be installed and nothing has to compile. Each
// ban says why; who wants to lift one changes it here, with a decision record.

// arrows are the rooms of the house and the rooms that each may import, besides
// internal. A room that is not named here is not part of the plan.
var arrows = map[string][]string{
	"lead":      {},
	"internal":  {"lead"},
	"agreement": {"lead"},
	// score is signed like the agreement and read like it by who decides.
	"score":         {"lead", "agreement"},
	"intake":        {"lead", "agreement"},
	"qualification": {"lead", "agreement", "score"},
	"routing":       {"lead", "agreement"},
	"feedback":      {"lead", "agreement"},
	// report is the read side of the others: it folds what they said, and says nothing.
	"report": {"lead", "agreement"},
	// delivery carries what was decided to people and systems; it decides nothing.
	"delivery": {"lead", "agreement"},
	// audit derives every decision again, with the very functions that decided.
	"audit":   {"lead", "agreement", "qualification", "routing", "feedback", "score"},
	"console": {"lead"},
	"baton":   {"lead", "agreement", "intake", "qualification", "routing", "feedback", "report", "audit", "console", "score", "delivery"},
}

const whyArrows = "arrows point one way: rooms meet in the log or by a gRPC query, so that each can run alone and be read alone"

// A ban is something that only its owner may use.
type ban struct {
	// what is an import path; what lies below it is meant as well.
	what string
	// owned says whose it is, by the file's path.
	owned func(file string) bool
	why   string
	// tests says that tests of other rooms are bound as well.
	tests bool
	// standard says that it is part of Go and not a module that go.mod names.
	standard bool
	// awaited says that nobody uses it yet.
	awaited bool
}

var bans = []ban{
	{
		what: "github.com/nats-io", owned: under("internal/ledger"), tests: true,
		why: "only internal/ledger knows NATS: compare-and-set, chain and acks are right in one place or in none",
	},
	{
		what: "go.opentelemetry.io/otel/sdk", owned: under("internal/telemetry"),
		why: "only internal/telemetry knows the OpenTelemetry SDK: the others use its API, which costs nothing when it is off",
	},
	{
		what: "go.opentelemetry.io/otel/exporters", owned: under("internal/telemetry"),
		why: "only internal/telemetry knows exporters: what leaves the process passes one allow-list",
	},
	{
		what: "github.com/redis", owned: base("store_redis.go"),
		why: "only store_redis.go files know Redis: it is a cache of a fold, and what decides must not see it",
	},
	{
		what: "github.com/grpc-ecosystem/grpc-gateway", owned: under("internal/rest"),
		why: "only internal/rest knows the gateway: REST is the contracts said in another way, and no room has an address of its own there",
	},
	{
		what: "github.com/rickar/cal", owned: is("baton/holidays/table.go"), tests: true,
		why: "only the command that writes holidays for an agreement knows a library's table: what decides are the dates that both parties signed",
	},
	{
		what: "flag", owned: under("baton"), standard: true,
		why: whyConfiguration,
	},
	{
		what: "os/signal", owned: under("baton"), standard: true,
		why: "only baton/ catches signals: there is one stop, in one order",
	},
	{
		what: "github.com/spf13/cobra", owned: under("baton"),
		why: whyConfiguration,
	},
	{
		what: "github.com/spf13/pflag", owned: under("baton"),
		why: whyConfiguration,
	},
	{
		what: "github.com/caarlos0/env", owned: under("baton"),
		why: whyConfiguration,
	},
}

const (
	whyConfiguration = "only baton/ reads flags and environment: everyone else is told, and so can be tested and run twice in one process"
	whyExit          = "only the command exits: everyone else answers an error, so that what is open gets closed"
)

// calls are functions of the standard library that only their owner may use.
var calls = []struct {
	pkg, name string
	owned     func(file string) bool
	why       string
}{
	{"os", "Exit", under("baton"), whyExit},
	{"log", "Fatal", nobody, whyExit},
	{"log", "Fatalf", nobody, whyExit},
	{"log", "Fatalln", nobody, whyExit},
	{"os", "Args", under("baton"), whyConfiguration},
	{"os", "Getenv", under("baton"), whyConfiguration},
	{"os", "Environ", under("baton"), whyConfiguration},
	{"os", "ExpandEnv", under("baton"), whyConfiguration},
	// A source names the variable that holds its secret; what is in it is
	// nobody else's business, so it is read where it is used.
	{"os", "LookupEnv", either(under("baton"), is("intake/secret.go")), whyConfiguration},
}

// pure says whether a file holds decisions or folds.
func pure(file string) bool {
	if strings.HasSuffix(file, "_test.go") {
		return false
	}
	name := path.Base(file)
	switch room(file) {
	case "lead":
		return true
	case "agreement":
		// The evaluating part: all but what speaks gRPC and keeps versions.
		return !slices.Contains([]string{"service.go", "store.go", "query.go", "register.go"}, name)
	case "score":
		// All but what speaks gRPC, follows the clock and keeps models.
		return !slices.Contains([]string{"service.go", "schedule.go", "register.go"}, name)
	case "routing":
		if slices.Contains([]string{"books.go", "choose.go", "fallback.go", "fit.go", "leaving.go", "limits.go", "offer.go", "owner.go", "roster.go", "wait.go"}, name) {
			return true
		}
	}
	return name == "decide.go" || name == "evolve.go" || name == "rotation.go" || file == "routing/move.go"
}

// fractions says whether a file may calculate with floats for all that: what is
// learned there becomes a recorded fact of whole numbers, and is not derived
// again.
func fractions(file string) bool {
	return slices.Contains([]string{"score/train.go", "score/logistic.go", "score/auc.go", "score/points.go"}, file)
}

// impure are packages that a decision has no business with.
var impure = []struct{ what, why string }{
	{"context", "who has no context cannot wait for anything"},
	{"net", "a decision that asks somebody cannot be derived again"},
	{"os", "a decision that reads the machine cannot be derived on another"},
	{"io/fs", "a decision that reads files cannot be derived without them"},
	{"syscall", "a decision that reads the machine cannot be derived on another"},
	{"database", "a decision that reads a store cannot be derived without it"},
	{"modernc.org/sqlite", "a decision that reads a store cannot be derived without it"},
	{"github.com/nats-io", "a decision that reads the log has a basis that nobody recorded"},
	{"github.com/redis", "a decision that reads a cache cannot be derived without it"},
	{"google.golang.org/grpc", "a decision that asks somebody cannot be derived again"},
	{"go.opentelemetry.io", "a decision is told and answers; who calls it does the tracing"},
	{"log", "a decision explains itself in its event, not in a log line"},
	{"math/rand", "chance cannot be derived again; what must be spread evenly is counted"},
	{"crypto/rand", "chance cannot be derived again"},
	{services + "internal/clock", "time comes in as a recorded value"},
	{services + "internal/keys", "a decision reads recorded features, never what is sealed"},
	{services + "internal/telemetry", "a decision is told and answers; who calls it does the tracing"},
}

// clockwork are the parts of package time that read or follow the clock, or the
// machine's zone.
var clockwork = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "Local"}

const (
	whyClock  = "time comes in as a recorded value: who reads the clock decides otherwise the next time"
	whyFloats = "no floats in a decision: their rounding differs by machine and compiler; use scaled integers"
	whyOrder  = "no map iteration order in a decision: it differs from run to run; go through sorted keys, or say \"any order: <why>\" beside it"
	whySleep  = "a sleep in a test is a guess: wait for what must happen, on a channel or by clock.Virtual"
	whySkip   = "a skipped test proves nothing and looks green: use the build tag real"
)

const (
	module   = "github.com/leadbaton/baton/"
	services = module + "services/"
)

func under(dir string) func(string) bool {
	return func(file string) bool { return strings.HasPrefix(file, dir+"/") }
}

func base(name string) func(string) bool {
	return func(file string) bool { return path.Base(file) == name }
}
func is(name string) func(string) bool { return func(file string) bool { return file == name } }
func nobody(string) bool               { return false }
func either(a, b func(string) bool) func(string) bool {
	return func(file string) bool { return a(file) || b(file) }
}

// room is the first folder of a path below services.
func room(file string) string {
	first, _, _ := strings.Cut(file, "/")
	return first
}

// source is one Go file, by its path below services.
type source struct {
	path string
	fset *token.FileSet
	tree *ast.File
}

func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s *source) found(pos token.Pos, what, why string) string {
	return fmt.Sprintf("%s:%d: %s: %s", s.path, s.fset.Position(pos).Line, what, why)
}

// local is the name under which a file knows a package; empty if it does not.
func (s *source) local(pkg string) string {
	for _, spec := range s.tree.Imports {
		if imported(spec) == pkg {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(pkg)
		}
	}
	return ""
}

// uses answers where a file names something of a package.
func (s *source) uses(pkg string, name func(string) bool) []*ast.SelectorExpr {
	local := s.local(pkg)
	if local == "" {
		return nil
	}
	var found []*ast.SelectorExpr
	ast.Inspect(s.tree, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && name(sel.Sel.Name) {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				found = append(found, sel)
			}
		}
		return true
	})
	return found
}

func imported(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

// within says whether an import path is a package or lies below it.
func within(imported, pkg string) bool {
	return imported == pkg || strings.HasPrefix(imported, pkg+"/")
}

// broken answers every rule that a file breaks by itself, as sentences.
func broken(s *source) []string {
	var out []string
	out = append(out, brokenArrows(s)...)
	out = append(out, brokenBans(s)...)
	if pure(s.path) {
		out = append(out, brokenPurity(s)...)
	}
	if s.test() {
		out = append(out, brokenTesting(s)...)
	}
	return out
}

func brokenArrows(s *source) []string {
	var out []string
	here := room(s.path)
	if !strings.Contains(s.path, "/") {
		return nil // tests of the house itself
	}
	for _, spec := range s.tree.Imports {
		rest, ours := strings.CutPrefix(imported(spec), services)
		if !ours {
			continue
		}
		there := room(rest)
		if there == here || (there == "internal" && here != "internal") || slices.Contains(arrows[here], there) {
			continue
		}
		out = append(out, s.found(spec.Pos(), here+" imports "+there, whyArrows))
	}
	return out
}

func brokenBans(s *source) []string {
	var out []string
	for _, b := range bans {
		if b.owned(s.path) || (s.test() && !b.tests) {
			continue
		}
		for _, spec := range s.tree.Imports {
			if within(imported(spec), b.what) {
				out = append(out, s.found(spec.Pos(), "imports "+imported(spec), b.why))
			}
		}
	}
	if s.test() {
		return out // tests read what the gate tells them
	}
	for _, c := range calls {
		if c.owned(s.path) {
			continue
		}
		for _, use := range s.uses(c.pkg, func(name string) bool { return name == c.name }) {
			out = append(out, s.found(use.Pos(), "uses "+c.pkg+"."+c.name, c.why))
		}
	}
	return out
}

func brokenPurity(s *source) []string {
	var out []string
	for _, spec := range s.tree.Imports {
		for _, b := range impure {
			if within(imported(spec), b.what) {
				out = append(out, s.found(spec.Pos(), "imports "+imported(spec), b.why))
			}
		}
		if spec.Name != nil && spec.Name.Name == "." {
			out = append(out, s.found(spec.Pos(), "imports "+imported(spec)+" without a name", "what a decision uses must be seen where it is used"))
		}
	}
	for _, use := range s.uses("time", func(name string) bool { return slices.Contains(clockwork, name) }) {
		out = append(out, s.found(use.Pos(), "uses time."+use.Sel.Name, whyClock))
	}
	whole := regexp.MustCompile(`^(MaxInt|MinInt|MaxUint)\d*$`)
	for _, use := range s.uses("math", func(name string) bool { return !whole.MatchString(name) }) {
		out = append(out, s.found(use.Pos(), "uses math."+use.Sel.Name, whyFloats))
	}
	for _, use := range s.uses("strconv", func(name string) bool { return strings.HasSuffix(name, "Float") }) {
		out = append(out, s.found(use.Pos(), "uses strconv."+use.Sel.Name, whyFloats))
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if n.Name == "float32" || n.Name == "float64" {
				out = append(out, s.found(n.Pos(), "uses "+n.Name, whyFloats))
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT {
				out = append(out, s.found(n.Pos(), "writes "+n.Value, whyFloats))
			}
		case *ast.CallExpr:
			// time.Duration's whole-unit methods answer floats.
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) == 0 && slices.Contains([]string{"Hours", "Minutes", "Seconds"}, sel.Sel.Name) {
				out = append(out, s.found(n.Pos(), "calls "+sel.Sel.Name+"()", whyFloats))
			}
		}
		return true
	})
	if fractions(s.path) {
		out = slices.DeleteFunc(out, func(sentence string) bool { return strings.HasSuffix(sentence, whyFloats) })
	}
	// Sorted straight away is the one way in which keys may leave a map.
	sorted := map[ast.Node]bool{}
	for _, use := range s.uses("slices", func(name string) bool { return strings.HasPrefix(name, "Sorted") }) {
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && call.Fun == use {
				for _, arg := range call.Args {
					if inner, ok := arg.(*ast.CallExpr); ok {
						sorted[inner.Fun] = true
					}
				}
			}
			return true
		})
	}
	for _, use := range s.uses("maps", func(name string) bool { return name == "Keys" || name == "Values" || name == "All" }) {
		if !sorted[use] && !s.anyOrder(use.Pos()) {
			out = append(out, s.found(use.Pos(), "uses maps."+use.Sel.Name, whyOrder))
		}
	}
	return out
}

func brokenTesting(s *source) []string {
	var out []string
	for _, use := range s.uses("time", func(name string) bool { return name == "Sleep" }) {
		out = append(out, s.found(use.Pos(), "uses time.Sleep", whySleep))
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "tb", "f"}, x.Name) {
					out = append(out, s.found(call.Pos(), "skips itself", whySkip))
				}
			}
		}
		return true
	})
	return out
}

// anyOrder says whether somebody explained, on this line or the one before,
// why the order does not matter.
func (s *source) anyOrder(pos token.Pos) bool {
	line := s.fset.Position(pos).Line
	for _, group := range s.tree.Comments {
		for _, comment := range group.List {
			at := s.fset.Position(comment.Pos()).Line
			if (at == line || at == line-1) && regexp.MustCompile(`any order: \S+`).MatchString(comment.Text) {
				return true
			}
		}
	}
	return false
}

// brokenOrder answers where the pure files of one package go through a map.
// Types are known only for what is ours; what others declare is left alone.
func brokenOrder(files []*source, load func(importPath string) []*source) []string {
	var out []string
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	check(files, "p", info, &ours{load: load, known: map[string]*types.Package{}})
	for _, s := range files {
		if !pure(s.path) {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if loop, ok := n.(*ast.RangeStmt); ok && loop.Key != nil {
				if t := info.TypeOf(loop.X); t != nil {
					if _, isMap := t.Underlying().(*types.Map); isMap && !s.anyOrder(loop.Pos()) {
						out = append(out, s.found(loop.Pos(), "goes through a map", whyOrder))
					}
				}
			}
			return true
		})
	}
	return out
}

// check finds out the types of a package as far as its own source says them.
func check(files []*source, name string, info *types.Info, importer types.Importer) *types.Package {
	if len(files) == 0 {
		return types.NewPackage(name, path.Base(name))
	}
	conf := types.Config{
		Importer: importer,
		Error:    func(error) {}, // whether it compiles is for the compiler to say
	}
	trees := make([]*ast.File, len(files))
	for i, s := range files {
		trees[i] = s.tree
	}
	pkg, err := conf.Check(name, files[0].fset, trees, info)
	if pkg == nil {
		panic(err) // Check answers a package even when it is full of errors
	}
	return pkg
}

// ours imports our own packages from source and invents empty ones for others.
type ours struct {
	load  func(importPath string) []*source
	known map[string]*types.Package
}

func (o *ours) Import(importPath string) (*types.Package, error) {
	if pkg, ok := o.known[importPath]; ok {
		return pkg, nil
	}
	pkg := types.NewPackage(importPath, path.Base(importPath))
	o.known[importPath] = pkg
	if strings.HasPrefix(importPath, module) {
		pkg = check(o.load(importPath), importPath, nil, o)
		o.known[importPath] = pkg
	}
	pkg.MarkComplete()
	return pkg, nil
}

// house reads all hand-written Go of services, by folder.
func house(t *testing.T) (files map[string][]*source, fset *token.FileSet) {
	t.Helper()
	files, fset = map[string][]*source{}, token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && (entry.Name() == "testdata" || strings.ContainsAny(entry.Name()[:1], "._")) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		s := parse(t, fset, filepath.ToSlash(name), nil)
		if !ast.IsGenerated(s.tree) {
			files[path.Dir(s.path)] = append(files[path.Dir(s.path)], s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, fset
}

func parse(t *testing.T, fset *token.FileSet, name string, text any) *source {
	t.Helper()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return &source{path: name, fset: fset, tree: tree}
}

func TestHouse(t *testing.T) {
	files, fset := house(t)

	rooms := map[string]bool{}
	for dir := range files {
		if dir != "." {
			rooms[room(dir)] = true
		}
	}
	if len(rooms) < 3 {
		t.Fatalf("found only the rooms %v: this test looks in the wrong place", slices.Sorted(maps.Keys(rooms)))
	}
	for name := range rooms {
		if _, planned := arrows[name]; !planned {
			t.Errorf("%s: a room that is not in the plan: say in this test which rooms it may import", name)
		}
	}

	for _, dir := range slices.Sorted(maps.Keys(files)) {
		for _, s := range files[dir] {
			for _, sentence := range broken(s) {
				t.Error(sentence)
			}
		}
		for _, sentence := range brokenOrder(production(files[dir]), loader(t, files, fset)) {
			t.Error(sentence)
		}
	}
}

// production leaves the tests out.
func production(files []*source) []*source {
	return slices.DeleteFunc(slices.Clone(files), (*source).test)
}

// loader finds the source of our own packages, generated contracts included.
func loader(t *testing.T, files map[string][]*source, fset *token.FileSet) func(string) []*source {
	return func(importPath string) []*source {
		if dir, ok := strings.CutPrefix(importPath, services); ok {
			return production(files[dir])
		}
		dir, ok := strings.CutPrefix(importPath, module)
		if !ok {
			return nil
		}
		names, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no source for %s", importPath)
		}
		var out []*source
		for _, name := range names {
			out = append(out, parse(t, fset, filepath.ToSlash(name), nil))
		}
		return out
	}
}

// A ban on a module that nobody could import any more would hold for ever and
// mean nothing.
func TestBansNameModulesThatWeUse(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bans {
		if used := strings.Contains(string(mod), "\t"+b.what); used == (b.standard || b.awaited) {
			t.Errorf("%s: in go.mod: %v, standard: %v, awaited: %v: bring the ban up to date", b.what, used, b.standard, b.awaited)
		}
	}
}

// TestEachRuleCanGoRed breaks each rule once and keeps to it once.
func TestEachRuleCanGoRed(t *testing.T) {
	type example struct{ file, text, want string }
	importing := func(what string) string { return fmt.Sprintf("package x\n\nimport _ %q\n", what) }
	body := func(pkg, code string) string {
		return fmt.Sprintf("package x\n\nimport %q\n\nfunc f() { %s }\n", pkg, code)
	}

	var examples []example
	for _, here := range slices.Sorted(maps.Keys(arrows)) {
		for _, there := range slices.Sorted(maps.Keys(arrows)) {
			want := ""
			if here != there && there != "internal" && !slices.Contains(arrows[here], there) {
				want = whyArrows
			}
			examples = append(examples, example{here + "/x.go", importing(services + there), want})
		}
	}
	for _, b := range bans {
		examples = append(examples,
			example{"routing/http.go", importing(b.what), b.why},
			example{"routing/http.go", importing(b.what + "/below"), b.why},
			example{"routing/http.go", importing(b.what + "beside"), ""})
		want := ""
		if b.tests {
			want = b.why
		}
		examples = append(examples, example{"routing/http_test.go", importing(b.what), want})
		for _, owner := range []string{"internal/ledger/x.go", "internal/telemetry/x.go", "baton/x.go", "routing/store_redis.go"} {
			if b.owned(owner) {
				examples = append(examples, example{owner, importing(b.what), ""})
			}
		}
	}
	for _, c := range calls {
		code := "_ = " + c.pkg + "." + c.name
		examples = append(examples,
			example{"intake/http.go", body(c.pkg, code), c.why},
			example{"intake/http_test.go", body(c.pkg, code), ""})
		if c.owned("baton/main.go") {
			examples = append(examples, example{"baton/main.go", body(c.pkg, code), ""})
		}
	}
	for _, b := range impure {
		examples = append(examples, example{"routing/decide.go", importing(b.what), b.why})
	}
	for _, name := range clockwork {
		examples = append(examples, example{"routing/decide.go", body("time", "_ = time."+name), whyClock})
	}
	sleeping := body("time", "time.Sleep(1)")
	examples = append(examples, []example{
		{"intake/secret.go", body("os", "_ = os.LookupEnv"), ""},
		{"intake/secret.go", body("os", "_ = os.Getenv"), whyConfiguration},
		{"intake/http.go", "package x\n\nimport system \"os\"\n\nfunc f() { system.Exit(1) }\n", whyExit},

		// Where purity holds and where it does not.
		{"qualification/evolve.go", importing("context"), "cannot wait"},
		{"routing/rotation.go", importing("context"), "cannot wait"},
		{"lead/anything.go", importing("context"), "cannot wait"},
		{"agreement/compile.go", importing("context"), "cannot wait"},
		{"agreement/service.go", importing("context"), ""},
		{"agreement/store.go", importing("context"), ""},
		{"agreement/query.go", importing("context"), ""},
		{"agreement/register.go", importing("context"), ""},
		{"agreement/compile_test.go", importing("context"), ""},
		{"routing/routing.go", importing("context"), ""},
		{"routing/decide.go", importing("net/http"), "cannot be derived again"},
		{"routing/decide.go", importing("log/slog"), "explains itself"},
		{"routing/decide.go", "package x\n\nimport . \"time\"\n", "where it is used"},
		{"routing/decide.go", importing("slices"), ""},

		{"routing/decide.go", body("time", "_ = time.Duration(0)"), ""},
		{"routing/decide.go", "package x\n\nvar f float64\n", whyFloats},
		{"routing/decide.go", "package x\n\nfunc f() { _ = float32(1) }\n", whyFloats},
		{"routing/decide.go", "package x\n\nvar f = 0.5\n", whyFloats},
		{"routing/decide.go", body("math", "_ = math.Round(1)"), whyFloats},
		{"routing/decide.go", body("math", "_ = math.MaxInt64"), ""},
		{"routing/decide.go", body("strconv", "_, _ = strconv.ParseFloat(\"1\", 64)"), whyFloats},
		{"routing/decide.go", body("strconv", "_, _ = strconv.ParseInt(\"1\", 10, 64)"), ""},
		{"routing/decide.go", body("time", "_ = time.Duration(1).Hours()"), whyFloats},
		{"routing/http.go", "package x\n\nvar f = 0.5\n", ""},
		{"score/train.go", "package x\n\nvar f float64 = 0.5\n", ""},
		{"score/train.go", importing("context"), "cannot wait"},
		{"score/score.go", "package x\n\nvar f float64\n", whyFloats},
		{"score/service.go", importing("context"), ""},

		{"routing/decide.go", body("maps", "for range maps.Keys(m) {}"), whyOrder},
		{"routing/decide.go", "package x\n\nimport (\n\"maps\"\n\"slices\"\n)\n\nvar _ = slices.Sorted(maps.Keys(m))\n", ""},

		{"routing/http_test.go", sleeping, whySleep},
		{"routing/http.go", sleeping, ""},
		{"routing/http_test.go", "package x\n\nfunc TestX(t *testing.T) { t.Skip() }\n", whySkip},
		{"routing/http_test.go", "package x\n\nfunc TestX(t *testing.T) { t.Skipf(\"no\") }\n", whySkip},
		{"routing/http_test.go", "package x\n\nfunc TestX(t *testing.T) { rows.Skip(2) }\n", ""},
	}...)

	for _, e := range examples {
		got := broken(parse(t, token.NewFileSet(), e.file, e.text))
		switch {
		case e.want == "" && len(got) > 0:
			t.Errorf("%s should pass:\n%s\ngot %v", e.file, e.text, got)
		case e.want != "" && !strings.Contains(strings.Join(got, "\n"), e.want):
			t.Errorf("%s should be told %q:\n%s\ngot %v", e.file, e.want, e.text, got)
		}
	}
}

// The same for going through maps, which needs to know types.
func TestMapOrderCanGoRed(t *testing.T) {
	other := `package other

type Load map[string]int

type Pool struct { Members map[string]int; Order []string }
`
	for _, e := range []struct {
		name, file, code string
		red              bool
	}{
		{"a parameter", "routing/decide.go", "func f(m map[string]int) { for k := range m { use(k) } }", true},
		{"a named type", "routing/decide.go", "type set map[string]bool\nfunc f(m set) { for k := range m { use(k) } }", true},
		{"a field of another package", "routing/decide.go", "func f(p *other.Pool) { for k := range p.Members { use(k) } }", true},
		{"a named type of another package", "routing/decide.go", "func f(l other.Load) { for k := range l { use(k) } }", true},
		{"explained on the line", "routing/decide.go", "func f(m map[string]int) (n int) { for _, v := range m { // any order: a sum\nn += v }; return }", false},
		{"explained above", "routing/decide.go", "func f(m map[string]int) (n int) {\n// any order: a sum\nfor _, v := range m { n += v }; return }", false},
		{"not explained", "routing/decide.go", "func f(m map[string]int) {\n// any order:\nfor k := range m { use(k) } }", true},
		{"only counted", "routing/decide.go", "func f(m map[string]int) (n int) { for range m { n++ }; return }", false},
		{"a slice", "routing/decide.go", "func f(p *other.Pool) { for k := range p.Order { use(k) } }", false},
		{"elsewhere", "routing/routing.go", "func f(m map[string]int) { for k := range m { use(k) } }", false},
	} {
		t.Run(e.name, func(t *testing.T) {
			fset := token.NewFileSet()
			s := parse(t, fset, e.file, "package x\n\nimport \""+services+"other\"\n\nvar _ other.Load\n\n"+e.code+"\n")
			got := brokenOrder([]*source{s}, func(string) []*source {
				return []*source{parse(t, fset, "other/other.go", other)}
			})
			if (len(got) > 0) != e.red {
				t.Errorf("got %v, want red: %v", got, e.red)
			}
		})
	}
}
