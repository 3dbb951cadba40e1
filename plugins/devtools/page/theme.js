// Before the page is drawn, so that it never shows in the wrong colours first.
{
  let theme = null;
  try {
    theme = localStorage.getItem('rt-dev-theme');
  } catch {
    // storage may be refused; the system's theme it is
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  document.documentElement.classList.add('js');
}
