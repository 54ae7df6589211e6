package report

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser starts a headless Chromium for the test, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser was found on PATH (looked for chromium, chromium-browser, google-chrome)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx), "start %s", path)
	return ctx
}

// witness notes what a page asks of the network and what the browser complains about.
type witness struct {
	mu         sync.Mutex
	requests   []string
	complaints []string
}

// watch attaches the witness to a tab, which must be open.
func (w *witness) watch(ctx context.Context) error {
	return chromedp.Listen(ctx, func(event any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "data:") {
				w.requests = append(w.requests, e.Request.URL)
			}
		case *log.EventEntryAdded:
			w.complaints = append(w.complaints, e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			w.complaints = append(w.complaints, "console."+string(e.Type))
		case *runtime.EventExceptionThrown:
			w.complaints = append(w.complaints, e.ExceptionDetails.Text)
		}
	})
}

// overflowing names the elements that stick out of the window to the right, outside boxes that scroll by themselves.
const overflowing = `(() => {
  if (document.scrollingElement.scrollWidth <= innerWidth) return "";
  return [...document.querySelectorAll("body *")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll"))
    .map(e => e.tagName + "." + e.getAttribute("class")).join(" ") || "the page";
})()`

// unfold opens everything that is folded up, and counts it.
const unfold = `(() => { const all = document.querySelectorAll("details"); all.forEach(d => d.open = true); return all.length; })()`

// overwritten names the texts of pictures that lie over another or reach out of the window.
const overwritten = `[...document.querySelectorAll("svg.chart")].flatMap(svg => {
  const boxes = [...svg.querySelectorAll("text.tick, text.axis")].map(t => [t.textContent, t.getBoundingClientRect()]);
  return boxes.flatMap(([text, a], i) => (a.left < 0 || a.right > innerWidth ? [text] : []).concat(boxes.slice(i + 1).filter(([, b]) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3).map(([other]) => text + " | " + other)));
}).join("; ")`

// misdrawn counts the bars that the style sheet draws in another width than the picture gives them.
const misdrawn = `[...document.querySelectorAll("svg rect")].filter(r => Math.abs(r.getBBox().width - r.getAttribute("width")) > 0.1).length`

// serve gives a page under an address of its own.
func serve(t *testing.T, page []byte) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestFirstScreenEndsWithinOneAndAHalfPhones(t *testing.T) {
	ctx := browser(t)
	const width, height = 360, 800
	for name, page := range map[string][]byte{
		"a rival": rendered(t, rival(t)), "a first model": rendered(t, loan(t)), "classes": rendered(t, species(t)), "sealed": sealed(t, rival(t), true),
	} {
		t.Run(name, func(t *testing.T) {
			tab, cancel := chromedp.NewContext(ctx)
			defer cancel()
			require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(width, height), chromedp.Navigate(serve(t, page))))
			bottom, err := chromedp.Run(tab, chromedp.Evaluate[float64](`document.getElementById("summary").getBoundingClientRect().bottom`))
			require.NoError(t, err)
			require.Greater(t, bottom, 200.0)
			require.LessOrEqual(t, bottom, 1.5*height)
		})
	}
}

func TestPageFitsAndAsksForNothing(t *testing.T) {
	ctx := browser(t)
	pages := []struct {
		name string
		html []byte
	}{
		{"a loan model, sealed", sealed(t, rival(t), true)}, {"hostile classes, sealed", sealed(t, hostileClasses(t), false)},
	}
	dossiers := everyDossier(t)
	for _, name := range []string{
		"hostile names", "nothing measured", "a program's model", "a hostile program", "a loan model with a rival", "a model of classes",
		"a model of very many classes", "hostile classes", "a model of numbers",
	} {
		pages = append(pages, struct {
			name string
			html []byte
		}{name, rendered(t, dossiers[name])})
	}
	for _, page := range pages {
		html := page.html
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(html)
		}))
		t.Cleanup(server.Close)
		for _, window := range []struct {
			name          string
			width, height int64
		}{{"phone", 320, 640}, {"laptop", 1280, 900}} {
			t.Run(page.name+" on a "+window.name, func(t *testing.T) {
				tab, cancel := chromedp.NewContext(ctx)
				defer cancel()
				var seen witness
				require.NoError(t, chromedp.Do(tab, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
					_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
					return err
				})))
				require.NoError(t, seen.watch(tab))
				require.NoError(t, chromedp.Do(tab,
					chromedp.EmulateViewport(window.width, window.height),
					chromedp.Navigate(server.URL+"/dossier"),
				))
				_, err := chromedp.Run(tab, chromedp.Evaluate[int](unfold))
				require.NoError(t, err)
				sticksOut, err := chromedp.Run(tab, chromedp.Evaluate[string](overflowing))
				require.NoError(t, err)
				wrong, err := chromedp.Run(tab, chromedp.Evaluate[int](misdrawn))
				require.NoError(t, err)
				require.Zero(t, wrong, "bars of a wrong width")
				over, err := chromedp.Run(tab, chromedp.Evaluate[string](overwritten))
				require.NoError(t, err)
				require.Empty(t, over, "texts in pictures")
				title, err := chromedp.Run(tab, chromedp.Title())
				require.NoError(t, err)
				seen.mu.Lock()
				defer seen.mu.Unlock()
				require.Contains(t, title, "dossier for review")
				require.Empty(t, sticksOut, "elements wider than the window")
				require.Empty(t, seen.complaints)
				require.Equal(t, []string{server.URL + "/dossier"}, seen.requests)
			})
		}
	}
}
