// Counts the time left down. Without it the page says what was left when it was opened.
{
  const clock = document.getElementById("clock");
  const end = Date.now() + clock.dataset.seconds * 1000;
  const words = (s) => {
    const [days, hours, minutes] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (days) return `${days} d` + (hours ? ` ${hours} h` : "");
    if (hours) return `${hours} h` + (minutes ? ` ${minutes} min` : "");
    return minutes ? `${minutes} min` : `${s} s`;
  };
  setInterval(() => {
    const left = Math.floor((end - Date.now()) / 1000);
    clock.classList.toggle("passed", left <= 0);
    clock.textContent = left > 0 ? `${words(left)} left to respond` : `window passed ${words(-left)} ago`;
  }, 1000);
}
