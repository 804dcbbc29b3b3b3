// Keys, refresh and columns. Every page works without this script.
'use strict';
(() => {
  // Time between two refreshes of a page.
  const REFRESH = 30_000;
  const FIELDS = 'input, textarea, select, [contenteditable]';
  const KEYS = [
    ['/', 'Go to the search field'],
    ['j', 'Mark the next row'],
    ['k', 'Mark the row before'],
    ['Enter', 'Open the marked row'],
    ['?', 'Show or close this help'],
    ['Escape', 'Close this help'],
  ];

  // The browser may forbid storage, and anybody may have written anything into it.
  const recall = (key) => {
    try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
  };
  const remember = (key, value) => {
    try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* Chosen for this page alone. */ }
  };

  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const main = () => document.querySelector('main');

  // Rows

  const rows = () => [...document.querySelectorAll('main tbody tr')].filter((row) => linkOf(row));
  const linkOf = (row) => [...row.querySelectorAll('a[href]')].find((link) => link.checkVisibility());
  const markedRow = () => document.querySelector('main tr.marked');

  const mark = (row) => {
    markedRow()?.classList.remove('marked');
    row.classList.add('marked');
  };
  const step = (by) => {
    const all = rows();
    if (all.length === 0) return;
    const now = all.indexOf(markedRow());
    const next = now < 0 ? 0 : Math.min(Math.max(now + by, 0), all.length - 1);
    mark(all[next]);
    linkOf(all[next]).focus({ preventScroll: true });
    all[next].scrollIntoView({ block: 'nearest' });
  };

  // Help

  const close = make('button', { type: 'button', autofocus: true }, 'Close');
  const title = make('h2', { id: 'keys-title' }, 'Keys');
  const list = make('dl');
  for (const [key, words] of KEYS) list.append(make('dt', {}, make('kbd', {}, key)), make('dd', {}, words));
  const help = make('dialog', { className: 'keys' }, title, list, close);
  help.setAttribute('aria-labelledby', title.id);
  close.addEventListener('click', () => help.close());
  const toggleHelp = () => (help.open ? help.close() : help.showModal());

  // Keys

  const search = () => {
    const field = document.querySelector('main input[type=search]');
    const home = document.querySelector('.brand a');
    if (field) {
      field.focus();
      field.select();
    } else if (home) {
      location.assign(`${home.href}#search`);
    }
  };
  const open = (event) => {
    const row = markedRow();
    // A focused link or button is pressed by the browser.
    if (!row || event.target !== document.body) return false;
    linkOf(row).click();
    return true;
  };
  const actions = {
    '/': search,
    j: () => step(1),
    k: () => step(-1),
    '?': toggleHelp,
  };
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(FIELDS)) return;
    if (help.open && event.key !== '?') return;
    if (event.key === 'Enter') {
      if (open(event)) event.preventDefault();
    } else if (Object.hasOwn(actions, event.key)) {
      event.preventDefault();
      actions[event.key]();
    }
  });

  // Columns

  const hide = (table, hidden) => {
    for (const row of table.rows) {
      [...row.cells].forEach((cell, index) => { cell.hidden = hidden.has(index); });
    }
  };
  const offerColumns = (table) => {
    const key = `columns of ${table.className}`;
    const headings = [...table.tHead.rows[0].cells].map((cell) => cell.firstChild?.textContent.replace(/ [▲▼]$/, '').trim());
    const unwanted = recall(key);
    const hidden = new Set();
    if (Array.isArray(unwanted)) {
      headings.forEach((words, index) => { if (index > 0 && unwanted.includes(words)) hidden.add(index); });
    }
    const boxes = headings.slice(1).map((words, position) => {
      const index = position + 1;
      const box = make('input', { type: 'checkbox', checked: !hidden.has(index) });
      box.addEventListener('change', () => {
        if (box.checked) hidden.delete(index); else hidden.add(index);
        hide(table, hidden);
        remember(key, [...hidden].map((it) => headings[it]));
      });
      return make('label', {}, box, ' ', words);
    });
    const chooser = make('details', { className: 'columns' }, make('summary', {}, 'Columns'), make('div', {}, ...boxes));
    (table.closest('.scroll') ?? table).before(chooser);
    hide(table, hidden);
  };
  const offerAllColumns = () => {
    document.querySelectorAll('table.jobs, table.projects, table.schedules').forEach(offerColumns);
  };

  // Refresh

  let isOn = recall('refresh') === true;
  let last = Date.now();
  let timer;
  let isAsking = false;
  const button = make('button', { type: 'button' }, 'Auto-refresh');
  const note = make('span', { className: 'note' });
  note.setAttribute('role', 'status');

  // Finds the same element on the new page: by its words and place among those of the same kind.
  const describe = (element) => {
    if (!element || !main().contains(element)) return null;
    const kind = (it) => `${it.tagName} ${it.getAttribute('href') ?? ''} ${it.name ?? ''} ${it.textContent.trim()}`;
    const alike = (root) => [...root.querySelectorAll(element.tagName)].filter((it) => kind(it) === kind(element));
    const place = alike(main()).indexOf(element);
    return () => alike(main())[place];
  };
  const state = (selector, read) => [...main().querySelectorAll(selector)].map(read);

  const replace = (page) => {
    const fresh = page.querySelector('main');
    if (!fresh) return;
    const focused = describe(document.activeElement);
    const marked = describe(markedRow() && linkOf(markedRow()));
    const wasOpen = state('details', (it) => it.open);
    const scrolled = state('.scroll, .log', (it) => [it.scrollLeft, it.scrollTop]);
    const place = [scrollX, scrollY];
    document.title = page.title;
    main().replaceWith(document.importNode(fresh, true));
    const badge = page.querySelector('header .badge');
    if (badge) document.querySelector('header .badge')?.replaceWith(document.importNode(badge, true));
    offerAllColumns();
    state('details', (it) => it).forEach((it, index) => { it.open = wasOpen[index] ?? it.open; });
    state('.scroll, .log', (it) => it).forEach((it, index) => it.scrollTo(...(scrolled[index] ?? [0, 0])));
    const row = marked?.()?.closest('tr');
    if (row) mark(row);
    focused?.()?.focus({ preventScroll: true });
    scrollTo(...place);
  };
  // What somebody types, selects or reads in the help stays.
  const isBusy = () => help.open || !getSelection().isCollapsed
    || main().querySelector('input:not([type=checkbox]):focus, textarea:focus, select:focus') !== null;

  const refresh = async () => {
    if (isAsking || isBusy()) return;
    isAsking = true;
    try {
      const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(REFRESH) });
      if (answer.status >= 500 || !answer.headers.get('content-type')?.startsWith('text/html')) {
        throw new Error(`status ${answer.status}`);
      }
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (!isBusy()) replace(page);
      note.textContent = '';
    } catch {
      note.textContent = 'The refresh failed';
    } finally {
      isAsking = false;
      last = Date.now();
    }
  };
  const schedule = () => {
    clearTimeout(timer);
    button.setAttribute('aria-pressed', String(isOn));
    if (!isOn || document.hidden) return;
    timer = setTimeout(async () => {
      await refresh();
      schedule();
    }, Math.max(last + REFRESH - Date.now(), 0));
  };
  button.addEventListener('click', () => {
    isOn = !isOn;
    remember('refresh', isOn);
    last = Date.now();
    note.textContent = '';
    schedule();
  });
  document.addEventListener('visibilitychange', schedule);

  // Start

  document.body.append(help);
  const bar = document.querySelector('header nav');
  if (bar) {
    const keys = make('button', { type: 'button' }, 'Keys');
    keys.setAttribute('aria-haspopup', 'dialog');
    keys.addEventListener('click', toggleHelp);
    bar.after(make('div', { className: 'controls' }, button, keys, note));
  }
  offerAllColumns();
  schedule();
  if (location.hash === '#search') search();
})();
