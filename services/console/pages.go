package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/leadbaton/baton/services/internal/access"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages are the templates and the files they refer to.
type pages struct {
	byName map[string]*template.Template
	assets map[string][]byte
	// links are the assets' addresses; each names its content, so that a browser
	// may keep it.
	links map[string]string
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func loadPages() (*pages, error) {
	p := &pages{byName: map[string]*template.Template{}, assets: map[string][]byte{}, links: map[string]string{}}
	for _, name := range []string{"console.css", "console.js", "icon.svg"} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("asset: %w", err)
		}
		sum := sha256.Sum256(content)
		p.assets[name] = content
		p.links[name] = "/assets/" + name + "?v=" + base64.RawURLEncoding.EncodeToString(sum[:9])
	}
	shared, err := template.New("").Funcs(words).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	p.byName["parts"] = shared
	for _, name := range []string{"live", "leads", "lead", "decision", "nurture", "line", "people", "why", "moved", "disputes", "dispute", "newdispute", "intake", "report", "counted", "targets", "agreement", "changes", "signin", "fault"} {
		one, err := shared.Clone()
		if err == nil {
			one, err = one.ParseFS(templateFiles, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		p.byName[name] = one
	}
	return p, nil
}

func (p *pages) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, ok := p.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", assetTypes[path.Ext(name)])
	if strings.HasSuffix(p.links[name], "?"+r.URL.RawQuery) {
		// Not personal, and another content has another address.
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content)
}

// pageData is what the frame around every page needs.
type pageData struct {
	Title string
	// Nav is the entry of the menu that is current.
	Nav  string
	Body any

	// Set by render.
	SignedIn bool
	Reader   access.Actor
	Notice   string
	Links    map[string]string
}

// render makes a whole page first and sends it then, so that a fault in the
// middle never leaves half a page behind a 200.
func (c *console) render(w http.ResponseWriter, r *http.Request, code int, name string, one *session, data pageData) {
	data.Links = c.pages.links
	if one != nil {
		data.SignedIn, data.Notice = true, c.sessions.said(one)
		data.Reader, _ = c.sessions.reader(one)
	}
	var out bytes.Buffer
	if err := c.pages.byName[name].ExecuteTemplate(&out, "layout", data); err != nil {
		c.logger.ErrorContext(r.Context(), "page template failed: mend the template", "error", err.Error())
		http.Error(w, "The page could not be made. What went wrong is in the log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(out.Bytes())
}

// fragment renders one part of a page.
func (p *pages) fragment(part string, data any) ([]byte, error) {
	var out bytes.Buffer
	if err := p.byName["parts"].ExecuteTemplate(&out, part, data); err != nil {
		return nil, fmt.Errorf("template %s: %w", part, err)
	}
	return out.Bytes(), nil
}
